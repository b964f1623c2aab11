-- KEYS: session, journal, results. ARGV: epoch and node of the owner's fence, version, principal, label, created, ttl,
-- snapshot, lease, the commit whose fate is not known, what it weighs to the index, then the ids of the commits that
-- led to that version, oldest first.
local found, refusal = session()
local now = clock()
local epoch = tonumber(ARGV[1])
if found then
  refusal = stopped(found)
  if refusal then return refusal end
  if found.commit and found.commit == ARGV[10] then return { 'fenced' } end
  local version, is_ours = tonumber(ARGV[3]), false
  for index = 12, #ARGV do is_ours = is_ours or ARGV[index] == found.commit end
  local has_ours = #ARGV < 12 or (is_ours and found.version >= version)
  local runs = takings(found.taken)
  for index, run in ipairs(runs) do
    local follows = runs[index + 1]
    local ends = follows and follows.epoch or found.epoch + 1
    if run.node ~= ARGV[2] and ends > epoch then
      if not has_ours and (run.found < version or run.epoch <= epoch) then
        return { 'overtaken', text(run.found) }
      end
      return { 'fenced' }
    end
  end
  if found.commit and not is_ours then
    if #ARGV < 12 then return { 'fenced' } end
    return { 'overtaken', text(math.min(found.version, version - 1)) }
  end
  if found.version >= tonumber(ARGV[3]) then return { 'regressed', text(found.version) } end
  epoch = math.max(epoch, found.epoch)
elseif refusal[1] ~= 'missing' then
  return refusal
end
local wrong = wrong_kind(KEYS[2], 'list')
if wrong then return { 'corrupt', ARGV[4], wrong } end
local expires = now + tonumber(ARGV[7])
epoch = text(epoch + 1)
redis.call('HSET', KEYS[1],
  'version', ARGV[3], 'fence', epoch .. ':' .. ARGV[2], 'epoch', epoch,
  'lease', text(now + tonumber(ARGV[9])), 'created', ARGV[6], 'expires', text(expires),
  'listed', text(expires), 'ttl', ARGV[7], 'principal', ARGV[4], 'label', ARGV[5],
  'snapshot', ARGV[8], 'state_bytes', text(#ARGV[8]), 'weight', ARGV[11],
  'taken', taken_by(found and found.taken, epoch, ARGV[2], ARGV[3]))
if #ARGV >= 12 then redis.call('HSET', KEYS[1], 'commit', ARGV[#ARGV]) end
redis.call('DEL', KEYS[2])
if wrong_kind(KEYS[3], 'hash') then redis.call('DEL', KEYS[3]) end
expire(expires)
return { 'ok', epoch, text(expires) }
