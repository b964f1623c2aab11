-- KEYS: inbox of a node. ARGV: message, how many may wait, for how long. An inbox that nobody empties goes by itself.
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return { 'limit' } end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { 'ok' }
