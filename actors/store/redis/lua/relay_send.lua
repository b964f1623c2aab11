-- KEYS: inbox of a node. ARGV: message, limit on waiting messages, time to live. An inbox that is not read expires.
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return { 'limit' } end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { 'ok' }
