-- KEYS: session, journal, results. ARGV: fence, commit id, expected version, versions, lease, whether a snapshot
-- replaces everything, the snapshot, then three lists, each after its length: deltas, results to drop, and results to
-- put (field and bytes).
local found, refusal = session()
if not found then return refusal end
refusal = not_held(found, ARGV[1])
if refusal then return refusal end
if found.commit == ARGV[2] then
  return { 'ok', text(found.version), text(found.expires - found.now), 0, found.principal, text(found.created) }
end
if found.lease <= found.now then return { 'lapsed' } end
if found.version ~= tonumber(ARGV[3]) then return { 'regressed', text(found.version) } end
local wrong = wrong_kind(KEYS[2], 'list')
if wrong then return { 'corrupt', found.principal, wrong } end
local replaced = ARGV[6] == '1'
local deltas = tonumber(ARGV[8])
if not replaced and redis.call('LLEN', KEYS[2]) + deltas > DELTAS_MAX then return { 'limit' } end

-- All checks passed. A server without memory refuses the first write, and so the whole script.
local version, expires = found.version + tonumber(ARGV[4]), found.now + found.ttl
redis.call('HSET', KEYS[1],
  'version', text(version), 'commit', ARGV[2], 'expires', text(expires),
  'lease', text(found.now + tonumber(ARGV[5])))
local state, results = found.state_bytes, found.result_bytes
-- Another client overwrote the results: they are lost, and the session continues.
if wrong_kind(KEYS[3], 'hash') then
  redis.call('DEL', KEYS[3])
  results = 0
end
if replaced then
  redis.call('HSET', KEYS[1], 'snapshot', ARGV[7])
  redis.call('DEL', KEYS[2])
  state = #ARGV[7]
end
local at = 9
for _ = 1, deltas do
  redis.call('RPUSH', KEYS[2], ARGV[at])
  state = state + #ARGV[at]
  at = at + 1
end
local drops = tonumber(ARGV[at])
at = at + 1
for _ = 1, drops do
  results = results - redis.call('HSTRLEN', KEYS[3], ARGV[at])
  redis.call('HDEL', KEYS[3], ARGV[at])
  at = at + 1
end
local puts = tonumber(ARGV[at])
at = at + 1
for _ = 1, puts do
  results = results + #ARGV[at + 1] - redis.call('HSTRLEN', KEYS[3], ARGV[at])
  redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1])
  at = at + 2
end
found.state_bytes, found.result_bytes = state, math.max(0, results)
redis.call('HSET', KEYS[1], 'state_bytes', text(state), 'result_bytes', text(found.result_bytes))
expire(expires)
return { 'ok', text(version), text(found.ttl), told(found, expires) }
