-- KEYS: connection, streams, events. What is gone is gone, and what cannot be read goes.
local principal = ''
if redis.call('TYPE', KEYS[1])['ok'] == 'hash' then
  principal = redis.call('HGET', KEYS[1], 'principal') or ''
end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return { 'ok', principal }
