-- KEYS: session, journal, results. ARGV: fence. Deleting an unknown session succeeds.
local found, refusal = session()
if not found then
  if refusal[1] == 'corrupt' then return refusal end
  return { 'ok' }
end
refusal = not_held(found, ARGV[1])
if refusal then return refusal end
local key = redis.call('HGET', KEYS[1], 'key') or ''
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'tombstone', '1')
redis.call('PEXPIRE', KEYS[1], text(REMEMBERED_MS))
return { 'ok', found.principal, text(found.created), key }
