-- KEYS: session, journal, results. ARGV: principal, label, created, ttl, snapshot, key of creation, weight in the
-- index, whether the index lists the session. If not, the next change lists it.
if kind_of(KEYS[1]) ~= 'none' then
  local found, refusal = session()
  if not found then return refusal end
  return { 'ok', text(found.expires), text(found.created) }
end
local now = clock()
local expires = now + tonumber(ARGV[4])
redis.call('HSET', KEYS[1],
  'version', '1', 'fence', '', 'epoch', '0', 'lease', '0', 'created', ARGV[3],
  'expires', text(expires), 'listed', ARGV[8] == '1' and text(expires) or '0', 'ttl', ARGV[4],
  'principal', ARGV[1], 'label', ARGV[2], 'snapshot', ARGV[5], 'key', ARGV[6],
  'state_bytes', text(#ARGV[5]), 'weight', ARGV[7])
expire(expires)
return { 'ok', text(expires), ARGV[3] }
