-- KEYS: session. ARGV: whether to quarantine it, and why. The owner is fenced off: it must not continue.
local found, refusal = session()
if not found and refusal[1] == 'corrupt' and kind_of(KEYS[1]) == 'hash' and ARGV[1] == '1' then
  redis.call('HSET', KEYS[1], 'quarantine', ARGV[2])
  return { 'ok' }
end
if not found then return refusal end
if ARGV[1] == '1' then
  redis.call('HSET', KEYS[1], 'fence', '', 'lease', '0', 'quarantine', ARGV[2])
else
  redis.call('HSET', KEYS[1], 'fence', '', 'lease', '0')
  redis.call('HDEL', KEYS[1], 'quarantine')
end
return { 'ok' }
