-- KEYS: connection, streams, events. The expiry is extended once a quarter of the time to live has passed, not with
-- every request.
local found, refusal = connection()
if not found then return refusal end
local later = found.ends - found.now < found.ttl * 3 / 4
if later then put_off(found, (streams())) end
local values = redis.call('HMGET', KEYS[1], 'principal', 'opening', 'node')
if not values[1] or not values[2] then return { 'corrupt', '', 'fields are missing' } end
return { 'ok', values[1], values[2], values[3] or '', later and '1' or '0', text(found.ttl) }
