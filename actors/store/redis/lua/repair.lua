-- KEYS: session, journal, results. ARGV: epoch and node of the newest fence that the claimant was given, version,
-- principal, label, created, ttl, snapshot, lease, the commit of unknown fate, weight in the index, the turns up to the
-- claimant's own, the commit that made the version, a fence whose turn does not count, whether the index lists the
-- session. If not, the next change lists it.
local node, version, ours = ARGV[2], tonumber(ARGV[3]), turns(ARGV[12])

local function equal(a, b)
  return a and b and a.epoch == b.epoch and a.node == b.node and a.found == b.found
end

-- The turns that can be compared with `other`, which may have forgotten older ones.
local function beside(all, other)
  if #other < TURNS_MAX then return all end
  local kept = {}
  for _, turn in ipairs(all) do
    if turn.epoch >= other[1].epoch then table.insert(kept, turn) end
  end
  return kept
end

-- The epoch with which the newest owner began.
local function newest(all)
  local at = #all
  if at == 0 then return 0 end
  while at > 1 and all[at - 1].node == all[#all].node do at = at - 1 end
  return all[at].epoch
end

-- Returns the version up to which the claim and the stored session agree, and whether the claim is later. The rule is
-- the same as in `lineage.rs`.
local function judge(found, stored)
  local theirs, own = beside(stored, ours), beside(ours, stored)
  local at = 1
  while equal(theirs[at], own[at]) do at = at + 1 end
  local other, here = nil, own[at]
  for index = #theirs, at, -1 do
    if theirs[index].node ~= node then other = theirs[index] end
  end
  if not other and not here then return found.version, true end
  if not other then return math.min(here.found, found.version), true end
  if not here then return other.found, false end
  return math.min(theirs[at].found, here.found), newest(own) > newest(theirs)
end

local found, refusal = session()
local now = clock()
local epoch, dropped, holding = 0, 0, ''
if found then
  refusal = stopped(found)
  if refusal then return refusal end
  if found.commit and found.commit == ARGV[10] then return { 'fenced' } end
  local stored = turns(found.taken)
  if is_last(stored, node) and found.epoch > tonumber(ARGV[1]) then return { 'lapsed' } end
  local last = stored[#stored]
  if last and text(last.epoch) .. ':' .. last.node == ARGV[14] then table.remove(stored) end
  local from, later = judge(found, stored)
  if version <= from then return { 'fenced' } end
  if not later then return { 'overtaken', text(from) } end
  epoch, dropped = found.epoch, found.version - from
  holding = string.match(found.fence, ':(.*)$') or ''
  if holding == node then holding = '' end
elseif refusal[1] ~= 'missing' then
  return refusal
end
local wrong = wrong_kind(KEYS[2], 'list')
if wrong then return { 'corrupt', ARGV[4], wrong } end
local expires = now + tonumber(ARGV[7])
epoch = math.max(epoch, tonumber(ARGV[1])) + 1
local taken = ARGV[12]
if not is_last(ours, node) then taken = acquired_by(ours, epoch, node, version) end
epoch = text(epoch)
redis.call('HSET', KEYS[1],
  'version', ARGV[3], 'fence', epoch .. ':' .. node, 'epoch', epoch,
  'lease', text(now + tonumber(ARGV[9])), 'created', ARGV[6], 'expires', text(expires),
  'listed', ARGV[15] == '1' and text(expires) or '0', 'ttl', ARGV[7], 'principal', ARGV[4], 'label', ARGV[5],
  'snapshot', ARGV[8], 'state_bytes', text(#ARGV[8]), 'weight', ARGV[11], 'taken', taken)
if ARGV[13] == '' then
  redis.call('HDEL', KEYS[1], 'commit')
else
  redis.call('HSET', KEYS[1], 'commit', ARGV[13])
end
redis.call('DEL', KEYS[2])
if wrong_kind(KEYS[3], 'hash') then redis.call('DEL', KEYS[3]) end
expire(expires)
return { 'ok', epoch, text(dropped), holding, found and 0 or 1 }
