-- KEYS: connection, streams, events. A closed connection is recorded for as long as a node may know it, so that no node
-- takes it for lost. Closing an unknown connection succeeds. An unreadable one is deleted.
local found, refusal = connection()
if not found then
  if refusal[1] == 'corrupt' then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end
  return { 'ok', '' }
end
local principal = redis.call('HGET', KEYS[1], 'principal') or ''
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'closed', '1')
redis.call('PEXPIRE', KEYS[1], text(found.ttl))
return { 'ok', principal }
