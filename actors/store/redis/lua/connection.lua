-- Prepended to every script of a connection. KEYS: its record, its streams and its events. A stream is stored as the
-- numbers of its first and its last event, their bytes, whether it has ended, and a count of changes.

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whole numbers of up to 53 bits, without an exponent.
local function text(number)
  return string.format('%.0f', number)
end

-- Returns the connection, or nil and the refusal.
local function connection()
  local kind = redis.call('TYPE', KEYS[1])['ok']
  if kind == 'none' then return nil, { 'missing' } end
  if kind ~= 'hash' then return nil, { 'corrupt', '', 'the connection is stored as a ' .. kind } end
  local values = redis.call('HMGET', KEYS[1], 'ttl', 'ends', 'closed')
  if values[3] then return nil, { 'deleted' } end
  local found = { now = clock(), ttl = tonumber(values[1]), ends = tonumber(values[2]) }
  if not found.ttl or not found.ends then return nil, { 'corrupt', '', 'fields are missing' } end
  if found.ends <= found.now then return nil, { 'missing' } end
  -- Later than any valid expiry: it was written before the clock was set back. The next request extends it.
  if found.ends > found.now + found.ttl then found.ends = found.now end
  return found
end

local function read_stream(written)
  local first, last, bytes, ended, changed = string.match(written, '^(%d+) (%d+) (%d+) (%d) (%d+)$')
  if not first then return nil end
  return {
    first = tonumber(first), last = tonumber(last), bytes = tonumber(bytes),
    ended = ended == '1', changed = tonumber(changed),
  }
end

-- Returns all streams, their bytes, their number, and the highest count of changes.
local function streams()
  local all, bytes, count, changes = {}, 0, 0, 0
  local flat = redis.call('HGETALL', KEYS[2])
  for at = 1, #flat, 2 do
    local stream = read_stream(flat[at + 1])
    if stream then
      all[flat[at]] = stream
      bytes, count = bytes + stream.bytes, count + 1
      changes = math.max(changes, stream.changed)
    end
  end
  return all, bytes, count, changes
end

-- Extends the expiry of the connection, and that of its events if a stream can continue.
local function put_off(found, all)
  redis.call('HSET', KEYS[1], 'ends', text(found.now + found.ttl))
  redis.call('PEXPIRE', KEYS[1], text(found.ttl))
  for _, stream in pairs(all) do
    if not stream.ended then
      redis.call('PEXPIRE', KEYS[2], text(found.ttl))
      redis.call('PEXPIRE', KEYS[3], text(found.ttl))
      return
    end
  end
end
