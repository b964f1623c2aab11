-- KEYS: session, journal, results. Returns a consistent snapshot of everything, without acquiring the session.
local found, refusal = session()
if not found then return refusal end
local wrong = wrong_kind(KEYS[2], 'list')
if wrong then return { 'corrupt', found.principal, wrong } end
local no_results = wrong_kind(KEYS[3], 'hash')
local node = holder(found)
return {
  'ok', found.principal, found.label or '', text(found.created), text(found.expires - found.now),
  found.quarantine and '1' or '0', found.quarantine or '', node or '',
  text(found.ttl), text(found.version), text(found.epoch), node and text(lease_left(found)) or '0',
  redis.call('HGET', KEYS[1], 'snapshot') or '', redis.call('LRANGE', KEYS[2], 0, -1),
  no_results and {} or redis.call('HGETALL', KEYS[3]), no_results or '',
}
