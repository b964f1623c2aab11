-- KEYS: members in order, members by end. ARGV: member, end of whoever it stands for, now, prefix of its principal,
-- how many that may have (0: it is there already, and only its end is later).
local PURGED_AT_ONCE = 128
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[3], 'LIMIT', 0, PURGED_AT_ONCE)
for _, member in ipairs(gone) do
  redis.call('ZREM', KEYS[1], member)
  redis.call('ZREM', KEYS[2], member)
end
local limit = tonumber(ARGV[5])
if limit > 0 and not redis.call('ZSCORE', KEYS[1], ARGV[1])
  and redis.call('ZLEXCOUNT', KEYS[1], '[' .. ARGV[4], '(' .. ARGV[4] .. '~') >= limit then
  return { 'limit' }
end
redis.call('ZADD', KEYS[1], 0, ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
return { 'ok' }
