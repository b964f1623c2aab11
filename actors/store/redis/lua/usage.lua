-- ARGV: now, prefix of a principal.
purge(ARGV[1])
local count = redis.call('ZLEXCOUNT', KEYS[1], '[' .. ARGV[2], '(' .. ARGV[2] .. '~')
return { 'ok', count, redis.call('HGET', KEYS[4], ARGV[2]) or '0' }
