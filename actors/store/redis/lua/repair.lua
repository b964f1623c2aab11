-- KEYS: session, journal, results. ARGV: epoch and node of the owner's fence, version, principal, label, created, ttl,
-- snapshot, lease, then the ids of the commits that led to that version, oldest first.
local found, refusal = session()
local now = clock()
local epoch = tonumber(ARGV[1])
if found then
  refusal = stopped(found)
  if refusal then return refusal end
  local owner = ARGV[1] .. ':' .. ARGV[2]
  if (holder(found) and found.fence ~= owner) or found.epoch > epoch then return { 'fenced' } end
  local known = not found.commit
  for index = 10, #ARGV do known = known or ARGV[index] == found.commit end
  if not known then return { 'fenced' } end
  if found.version >= tonumber(ARGV[3]) then return { 'regressed', text(found.version) } end
  epoch = math.max(epoch, found.epoch)
elseif refusal[1] ~= 'missing' then
  return refusal
end
local wrong = wrong_kind(KEYS[2], 'list') or wrong_kind(KEYS[3], 'hash')
if wrong then return { 'corrupt', ARGV[4], wrong } end
local expires = now + tonumber(ARGV[7])
epoch = text(epoch + 1)
redis.call('HSET', KEYS[1],
  'version', ARGV[3], 'fence', epoch .. ':' .. ARGV[2], 'epoch', epoch,
  'lease', text(now + tonumber(ARGV[9])), 'created', ARGV[6], 'expires', text(expires),
  'listed', text(expires), 'ttl', ARGV[7], 'principal', ARGV[4], 'label', ARGV[5],
  'snapshot', ARGV[8])
if #ARGV >= 10 then redis.call('HSET', KEYS[1], 'commit', ARGV[#ARGV]) end
redis.call('DEL', KEYS[2])
expire(expires)
return { 'ok', epoch, text(expires) }
