-- KEYS: key of a creation. ARGV: session id, digest of the arguments, time to live, the session that the key named and
-- that has ended (or nothing). Returns the session that the key names, the time in ms since it was claimed, and whether
-- it was claimed with the same arguments.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'session', 'digest', 'claimed')
if kept[1] and kept[1] ~= ARGV[4] then
  local same = kept[2] == ARGV[2]
  if same then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
  local since = math.max(0, now - (tonumber(kept[3]) or 0))
  return { 'ok', kept[1], string.format('%.0f', since), same and '1' or '0' }
end
redis.call('HSET', KEYS[1], 'session', ARGV[1], 'digest', ARGV[2], 'claimed', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { 'ok', ARGV[1], '0', '1' }
