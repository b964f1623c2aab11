-- KEYS: key of a creation. ARGV: session id, digest of the arguments, time to live, the session that it was found to
-- stand for and that is gone (or nothing). Answers with the session that it stands for.
local kept = redis.call('HMGET', KEYS[1], 'session', 'digest')
if kept[1] and kept[1] ~= ARGV[4] then
  if kept[2] ~= ARGV[2] then return { 'reused' } end
  return { 'ok', kept[1] }
end
redis.call('HSET', KEYS[1], 'session', ARGV[1], 'digest', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { 'ok', ARGV[1] }
