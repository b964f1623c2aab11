-- KEYS: session.
local found, refusal = session()
if not found then return refusal end
return {
  'ok', found.principal, found.label or '', text(found.created), text(found.expires - found.now),
  found.quarantine and '1' or '0', found.quarantine or '', holder(found) or '',
}
