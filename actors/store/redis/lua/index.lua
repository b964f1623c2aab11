-- Prepended to every script of the index. KEYS: members in order, members by expiry, bytes of members, bytes of
-- principals. A member begins with the prefix of its principal.
local PREFIX_LENGTH = 33
local PURGED_AT_ONCE = 128

-- Sets the bytes of a member, and updates the sum of its principal.
local function weighs(member, bytes)
  local before = tonumber(redis.call('HGET', KEYS[3], member) or '0') or 0
  if before == bytes then return end
  local whose = string.sub(member, 1, PREFIX_LENGTH)
  local all = (tonumber(redis.call('HGET', KEYS[4], whose) or '0') or 0) + bytes - before
  if bytes > 0 then
    redis.call('HSET', KEYS[3], member, string.format('%.0f', bytes))
  else
    redis.call('HDEL', KEYS[3], member)
  end
  if all > 0 then
    redis.call('HSET', KEYS[4], whose, string.format('%.0f', all))
  else
    redis.call('HDEL', KEYS[4], whose)
  end
end

local function drop(member)
  local dropped = redis.call('ZREM', KEYS[1], member)
  redis.call('ZREM', KEYS[2], member)
  weighs(member, 0)
  return dropped
end

local function purge(now)
  local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, PURGED_AT_ONCE)
  for _, member in ipairs(gone) do drop(member) end
end
