-- Before every script of a session: KEYS[1] is its hash. Only this clock decides about leases and ends.

-- How long a session that has ended is remembered as such, so that its owner hears what became of it.
local REMEMBERED_MS = 600000
-- Turns of nodes that are remembered.
local TURNS_MAX = 8
-- Deltas that a reader has to fold at most: the owner makes a snapshot long before.
local DELTAS_MAX = 1024

-- The longest lease that a node is given. One that ends later was written before the clock was set back.
local LEASE_MAX_MS = 15000

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whole numbers of up to 53 bits, without an exponent.
local function text(number)
  return string.format('%.0f', number)
end

local function kind_of(declared)
  return redis.call('TYPE', declared)['ok']
end

local FIELDS = {
  'version', 'fence', 'epoch', 'lease', 'commit', 'created', 'expires', 'ttl',
  'principal', 'label', 'quarantine', 'tombstone', 'listed', 'taken', 'state_bytes', 'result_bytes',
  'weight',
}
local WEIGHTS = { 'state_bytes', 'result_bytes', 'weight' }
local NUMBERS = { 'version', 'epoch', 'lease', 'created', 'expires', 'ttl', 'listed' }

-- The session, or why there is none.
local function session()
  local kind = kind_of(KEYS[1])
  if kind == 'none' then return nil, { 'missing' } end
  if kind ~= 'hash' then return nil, { 'corrupt', '', 'the session is stored as a ' .. kind } end
  local values = redis.call('HMGET', KEYS[1], unpack(FIELDS))
  local found = { now = clock() }
  for index, name in ipairs(FIELDS) do found[name] = values[index] end
  if found.tombstone then return nil, { 'deleted' } end
  for _, name in ipairs(NUMBERS) do
    local number = tonumber(found[name])
    if not number or number < 0 or number >= 2 ^ 53 or number ~= math.floor(number) then
      return nil, { 'corrupt', found.principal or '', 'the field ' .. name .. ' is no number' }
    end
    found[name] = number
  end
  -- What an earlier version stored has not been weighed.
  for _, name in ipairs(WEIGHTS) do found[name] = tonumber(found[name]) or 0 end
  if not found.principal or not found.fence then
    return nil, { 'corrupt', found.principal or '', 'fields are missing' }
  end
  if found.expires <= found.now then return nil, { 'expired', found.principal } end
  -- Every end is one time to live after a change: one that is later was written before the clock was set back.
  found.expires = math.min(found.expires, found.now + found.ttl)
  return found
end

-- What stands against its being run at all.
local function stopped(found)
  if found.quarantine then return { 'quarantined', found.principal, found.quarantine } end
end

-- What stands against its being changed under that fence. An empty one never matches.
local function not_held(found, fence)
  local refusal = stopped(found)
  if refusal then return refusal end
  if fence == '' or found.fence ~= fence then return { 'fenced' } end
end

-- The node whose lease has not ended.
local function holder(found)
  if found.fence ~= '' and found.lease > found.now then
    return string.match(found.fence, ':(.*)$')
  end
end

-- How long its lease lasts: no longer than the longest does.
local function lease_left(found)
  return math.min(found.lease - found.now, LEASE_MAX_MS)
end

-- Who had it, one after the other, oldest first: the epoch of each turn, the node, and the version that it found.
local function turns(text)
  local all = {}
  for epoch, node, found in string.gmatch(text or '', '(%d+):(%S-)@(%d+)') do
    table.insert(all, { epoch = tonumber(epoch), node = node, found = tonumber(found) })
  end
  return all
end

local function is_last(all, node)
  return #all > 0 and all[#all].node == node
end

-- The same as it is stored, after that node has acquired it.
local function acquired_by(all, epoch, node, found)
  table.insert(all, { epoch = epoch, node = node, found = found })
  if #all > TURNS_MAX then table.remove(all, 1) end
  local words = {}
  for _, turn in ipairs(all) do
    table.insert(words, text(turn.epoch) .. ':' .. turn.node .. '@' .. text(turn.found))
  end
  return table.concat(words, ' ')
end

local function wrong_kind(declared, wanted)
  local kind = kind_of(declared)
  if kind ~= 'none' and kind ~= wanted then return 'a part of it is stored as a ' .. kind end
end

-- All keys go together, some time after the session's own end.
local function expire(expires)
  for _, declared in ipairs(KEYS) do redis.call('PEXPIREAT', declared, text(expires + REMEMBERED_MS)) end
end

-- What the index is to hold against its principal: a little more than it is, so that it is not told of every change.
local function heavy(bytes)
  return math.floor(bytes + math.max(4096, bytes / 8))
end

-- The index learns of a later end only now and then, when half the time to live has passed since it was last told; of
-- more bytes when they are more than it was told of, and of less when they are much less.
local function listing(found, expires)
  local bytes = math.max(0, found.state_bytes + found.result_bytes)
  local weighed = bytes <= found.weight and heavy(bytes) * 2 >= found.weight
  if weighed and expires - found.listed <= found.ttl / 2 then return 0 end
  if not weighed then found.weight = heavy(bytes) end
  redis.call('HSET', KEYS[1], 'listed', text(expires), 'weight', text(found.weight))
  return 1
end

-- What the index is told: whether it is to be told anything, whose it is, since when it is there, what it weighs, and
-- its key of creation.
local function told(found, expires)
  local later = listing(found, expires)
  local key = later == 1 and redis.call('HGET', KEYS[1], 'key') or ''
  return later, found.principal, text(found.created), text(found.weight), key
end
