-- KEYS: session, journal, results. ARGV: whether to record that the session was closed, and the principal that must own
-- it (or nothing). Deletes a session that no node can run: a quarantined one, an unreadable one, or the record of a
-- closed one.
if kind_of(KEYS[1]) == 'none' then return { 'missing' } end
local found, refusal = session()
if ARGV[2] ~= '' then
  if not found and refusal[1] ~= 'corrupt' then return refusal end
  local owner = found and found.principal or refusal[2]
  if owner ~= ARGV[2] then return { 'missing' } end
end
if found and not found.quarantine then return { 'fenced' } end
local key = found and redis.call('HGET', KEYS[1], 'key') or ''
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
if ARGV[1] == '1' then
  redis.call('HSET', KEYS[1], 'tombstone', '1')
  redis.call('PEXPIRE', KEYS[1], text(REMEMBERED_MS))
end
if not found then return { 'ok', '', '0', '' } end
return { 'ok', found.principal, text(found.created), key }
