-- KEYS: connections of a principal, by expiry. ARGV: connection, time to live, limit on their number (0: the connection
-- is listed already, and only its expiry changes).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit = tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
if limit > 0 and not redis.call('ZSCORE', KEYS[1], ARGV[1])
  and #redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '+inf', 'LIMIT', limit - 1, 1) > 0 then
  return { 'limit' }
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { 'ok' }
