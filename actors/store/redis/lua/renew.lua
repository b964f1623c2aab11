-- KEYS: session, journal, results. ARGV: fence, lease.
local found, refusal = session()
if not found then return refusal end
refusal = not_held(found, ARGV[1])
if refusal then return refusal end
if found.lease <= found.now then return { 'lapsed' } end
local expires = found.now + found.ttl
redis.call('HSET', KEYS[1],
  'expires', text(expires), 'lease', text(found.now + tonumber(ARGV[2])))
expire(expires)
return { 'ok', text(found.version), text(found.ttl), told(found, expires) }
