-- KEYS: the eight segments of the shared cache, then its state: the generation `g`, the newest segment `n`, and the
-- bytes in each segment, `1` to `8`. ARGV: the generation that the caller knows (or nothing), the budget in bytes (0: a
-- quarter of maxmemory), the budget without maxmemory, the share of maxmemory in percent above which the cache frees
-- memory, time to live in ms, then name and value of each entry. Without entries the script only makes room.
-- Returns the generation, the bytes held, the budget, the number of refused entries, whether memory was short,
-- used_memory, maxmemory.
local memory = redis.call('INFO', 'memory')
local function told(name)
  return tonumber(string.match(memory, '\n' .. name .. ':(%d+)') or 0)
end
local used, maxmemory = told('used_memory'), told('maxmemory')
local limit = math.huge
local budget = tonumber(ARGV[2])
if maxmemory > 0 then limit = maxmemory * tonumber(ARGV[4]) / 100 end
if budget == 0 then
  budget = maxmemory > 0 and math.floor(maxmemory / 4) or tonumber(ARGV[3])
end
local free = limit - used
-- The server frees large segments in the background. While it has not freed one yet, no more segments are dropped,
-- unless the server already refuses writes of sessions.
local patient = told('lazyfree_pending_objects') > 0 and used < maxmemory

-- The memory of an entry, slightly overestimated: the value with its header as jemalloc rounds it up (to the next of
-- four steps within a power of two), its name, and its slot in the table.
local function weight(length)
  local _, exponent = math.frexp(length + 9)
  local step = 2 ^ (exponent - 3)
  return math.ceil((length + 10) / step) * step + 88
end

local kind = redis.call('TYPE', KEYS[9])['ok']
if kind ~= 'hash' and kind ~= 'none' then redis.call('UNLINK', KEYS[9]) end
local state = redis.call('HMGET', KEYS[9], 'g', 'n', '1', '2', '3', '4', '5', '6', '7', '8')
local generation, newest = state[1], tonumber(state[2] or 1)
local bytes, total, changed = {}, 0, false
for segment = 1, 8 do
  local held = tonumber(state[segment + 2] or 0) or 0
  local found = redis.call('TYPE', KEYS[segment])['ok']
  if found ~= 'none' and (found ~= 'hash' or held <= 0) then
    -- Its size is unknown.
    redis.call('UNLINK', KEYS[segment])
    found = 'none'
  end
  if found == 'none' then
    changed = changed or held ~= 0
    held = 0
  end
  bytes[segment] = held
  total = total + held
end
if not bytes[newest] then newest = 1 end

local function forget_one(segment)
  redis.call('UNLINK', KEYS[segment])
  total, free = total - bytes[segment], free + bytes[segment]
  bytes[segment] = 0
  changed = true
end
local function forget_oldest()
  for step = 1, 8 do
    local segment = (newest + step - 1) % 8 + 1
    if bytes[segment] > 0 then
      forget_one(segment)
      return true
    end
  end
  return false
end
local short = false
local function fits(size)
  if size > budget then return false end
  while total + size > budget do
    if not forget_oldest() then return false end
  end
  while size > free do
    short = true
    if patient or not forget_oldest() then return false end
  end
  return true
end

local refused = 0
local known = ARGV[1] == '' or ARGV[1] == generation
fits(0)
for at = 6, #ARGV, 2 do
  local size = weight(#ARGV[at + 1])
  if known and fits(size) then
    -- After its first write a script may write even if the server is out of memory.
    if not changed then redis.call('PEXPIRE', KEYS[9], ARGV[5]) end
    changed = true
    if bytes[newest] > 0 and bytes[newest] + size > budget / 8 then
      newest = newest % 8 + 1
      if bytes[newest] > 0 then forget_one(newest) end
    end
    local before = redis.call('HSTRLEN', KEYS[newest], ARGV[at])
    redis.call('HSET', KEYS[newest], ARGV[at], ARGV[at + 1])
    if bytes[newest] == 0 then redis.call('PEXPIRE', KEYS[newest], ARGV[5]) end
    local added = size
    if before > 0 then added = size - weight(before) end
    bytes[newest] = bytes[newest] + added
    total, free = total + added, free - added
  else
    refused = refused + 1
  end
end
if changed then
  if not generation then
    local time = redis.call('TIME')
    generation = time[1] .. '.' .. time[2]
  end
  redis.call('PEXPIRE', KEYS[9], ARGV[5])
  redis.call('HSET', KEYS[9], 'g', generation, 'n', newest, '1', bytes[1], '2', bytes[2], '3', bytes[3], '4', bytes[4],
    '5', bytes[5], '6', bytes[6], '7', bytes[7], '8', bytes[8])
  redis.call('PEXPIRE', KEYS[9], ARGV[5])
  if bytes[newest] > 0 then redis.call('PEXPIRE', KEYS[newest], ARGV[5]) end
end
return { 'ok', generation or '', string.format('%.0f', total), string.format('%.0f', budget), refused, short and 1 or 0,
  string.format('%.0f', used), string.format('%.0f', maxmemory) }
