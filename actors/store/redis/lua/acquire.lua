-- KEYS: session, journal. ARGV: node, lease, the newest epoch that this node has had.
local found, refusal = session()
if not found then return refusal end
refusal = stopped(found)
if refusal then return refusal end
local node = holder(found)
if node and node ~= ARGV[1] then
  -- Shortened once: from then on it ends as any lease does, even if other nodes ask repeatedly.
  if found.lease - found.now > LEASE_MAX_MS then
    redis.call('HSET', KEYS[1], 'lease', text(found.now + LEASE_MAX_MS))
  end
  return { 'held', node, text(lease_left(found)) }
end
local wrong = wrong_kind(KEYS[2], 'list')
if wrong then return { 'corrupt', found.principal, wrong } end
local epoch = math.max(found.epoch, tonumber(ARGV[3])) + 1
local taken = acquired_by(turns(found.taken), epoch, ARGV[1], found.version)
epoch = text(epoch)
redis.call('HSET', KEYS[1],
  'fence', epoch .. ':' .. ARGV[1], 'epoch', epoch, 'lease', text(found.now + tonumber(ARGV[2])),
  'taken', taken)
return {
  'ok', epoch, text(found.version), text(found.expires - found.now), found.commit or '', found.principal,
  redis.call('HGET', KEYS[1], 'snapshot') or '', redis.call('LRANGE', KEYS[2], 0, -1), taken,
}
