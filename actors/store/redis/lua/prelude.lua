-- Prepended to every script of a session: KEYS[1] is its hash. Only this clock decides about leases and expiries.

-- How long an ended session is remembered, so that its owner gets `expired` or `deleted` and not `unknown`.
local REMEMBERED_MS = 600000
-- Turns remembered.
local TURNS_MAX = 8
-- Most deltas that a reader has to fold: the owner writes a snapshot long before.
local DELTAS_MAX = 1024

-- The longest lease that a node gets. A lease that ends later was written before the clock was set back.
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

-- Returns the session, or nil and the refusal.
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
  -- Sessions of earlier versions have no weight.
  for _, name in ipairs(WEIGHTS) do found[name] = tonumber(found[name]) or 0 end
  if not found.principal or not found.fence then
    return nil, { 'corrupt', found.principal or '', 'fields are missing' }
  end
  if found.expires <= found.now then return nil, { 'expired', found.principal } end
  -- A session expires one time to live after a change. A later expiry was written before the clock was set back.
  found.expires = math.min(found.expires, found.now + found.ttl)
  return found
end

-- The reason why no node may run it, or nil.
local function stopped(found)
  if found.quarantine then return { 'quarantined', found.principal, found.quarantine } end
end

-- The reason why it may not be changed under that fence, or nil. An empty fence never matches.
local function not_held(found, fence)
  local refusal = stopped(found)
  if refusal then return refusal end
  if fence == '' or found.fence ~= fence then return { 'fenced' } end
end

-- The node that holds a valid lease, or nil.
local function holder(found)
  if found.fence ~= '' and found.lease > found.now then
    return string.match(found.fence, ':(.*)$')
  end
end

-- The remaining lease, at most the longest one.
local function lease_left(found)
  return math.min(found.lease - found.now, LEASE_MAX_MS)
end

-- Parses the owners, oldest first: the epoch of each turn, the node, and the version that it found.
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

-- Adds an acquisition by that node, and returns the stored form.
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

-- All keys expire together, some time after the session.
local function expire(expires)
  for _, declared in ipairs(KEYS) do redis.call('PEXPIREAT', declared, text(expires + REMEMBERED_MS)) end
end

-- The bytes that the index counts: slightly too many, so that not every change updates the index.
local function heavy(bytes)
  return math.floor(bytes + math.max(4096, bytes / 8))
end

-- Whether the index must be updated. A later expiry is reported after half of the time to live. The bytes are reported
-- when they exceed the counted ones, or are far below them.
local function listing(found, expires)
  local bytes = math.max(0, found.state_bytes + found.result_bytes)
  local weighed = bytes <= found.weight and heavy(bytes) * 2 >= found.weight
  if weighed and expires - found.listed <= found.ttl / 2 then return 0 end
  if not weighed then found.weight = heavy(bytes) end
  redis.call('HSET', KEYS[1], 'listed', text(expires), 'weight', text(found.weight))
  return 1
end

-- The update for the index: whether one is needed, principal, creation time, weight, and key of creation.
local function told(found, expires)
  local later = listing(found, expires)
  local key = later == 1 and redis.call('HGET', KEYS[1], 'key') or ''
  return later, found.principal, text(found.created), text(found.weight), key
end
