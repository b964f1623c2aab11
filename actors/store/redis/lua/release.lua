-- KEYS: session. ARGV: fence.
local found, refusal = session()
if not found then return refusal end
refusal = not_held(found, ARGV[1])
if refusal then return refusal end
redis.call('HSET', KEYS[1], 'fence', '', 'lease', '0')
return { 'ok' }
