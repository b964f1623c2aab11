-- KEYS: session. ARGV: fence, lease.
local found, refusal = session()
if not found then return refusal end
refusal = not_held(found, ARGV[1])
if refusal then return refusal end
if found.lease <= found.now then return { 'lapsed' } end
redis.call('HSET', KEYS[1], 'lease', text(found.now + tonumber(ARGV[2])))
return { 'ok' }
