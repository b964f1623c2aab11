-- KEYS: connection, streams, events. ARGV: principal, opening message, node, time to live.
local found, refusal = connection()
if found then
  put_off(found, (streams()))
  return { 'ok' }
end
if refusal[1] ~= 'missing' then return refusal end
redis.call('HSET', KEYS[1],
  'principal', ARGV[1], 'opening', ARGV[2], 'node', ARGV[3], 'ttl', ARGV[4],
  'ends', text(clock() + tonumber(ARGV[4])))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return { 'ok' }
