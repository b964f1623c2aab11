-- KEYS: session, results. ARGV: field.
local found, refusal = session()
if not found then return refusal end
local wrong = wrong_kind(KEYS[2], 'hash')
if wrong then return { 'corrupt', found.principal, wrong } end
local stored = redis.call('HGET', KEYS[2], ARGV[1])
if stored == '' then return { 'corrupt', found.principal, 'it is empty' } end
return { 'ok', stored or '' }
