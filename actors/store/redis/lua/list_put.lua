-- ARGV: member, expiry, now, prefix of its principal, limit on the principal's members (0: the member is listed
-- already, and only its expiry changes), bytes. Returns 1 if it was not listed before.
purge(ARGV[3])
local limit = tonumber(ARGV[5])
if limit > 0 and not redis.call('ZSCORE', KEYS[1], ARGV[1])
  and redis.call('ZLEXCOUNT', KEYS[1], '[' .. ARGV[4], '(' .. ARGV[4] .. '~') >= limit then
  return { 'limit' }
end
local added = redis.call('ZADD', KEYS[1], 0, ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
weighs(ARGV[1], tonumber(ARGV[6]))
return { 'ok', added }
