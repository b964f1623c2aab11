-- KEYS: the eight segments of the shared cache, then its state. ARGV: time to live of the state in ms. Deletes all
-- entries, and returns the new generation: entries of an earlier one are refused. The keys are deleted first, so the
-- script works even if the server has no memory left.
local time = redis.call('TIME')
local generation = time[1] .. '.' .. time[2]
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9])
redis.call('HSET', KEYS[9], 'g', generation)
redis.call('PEXPIRE', KEYS[9], ARGV[1])
return { 'ok', generation }
