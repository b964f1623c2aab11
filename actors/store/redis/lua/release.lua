-- KEYS: session. ARGV: fence, version.
local found, refusal = session()
if not found then return refusal end
refusal = not_held(found, ARGV[1])
if refusal then return refusal end
if found.version ~= tonumber(ARGV[2]) then return { 'regressed', text(found.version) } end
redis.call('HSET', KEYS[1], 'fence', '', 'lease', '0')
return { 'ok' }
