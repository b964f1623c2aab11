-- KEYS: connection, streams, events. ARGV: stream, number of the first event, whether the stream ends with these,
-- whether it skips a gap; limits on events and bytes of a stream, and on streams and bytes of a connection; how long
-- the events of ended streams are kept; then the events.
local found, refusal = connection()
if not found then return refusal end
local EVENTS_AT = 10
local id, first, ends = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local all, total, count, changes = streams()
local own = all[id]
local last = own and own.last or 0
local reaches = first - 1 + #ARGV - EVENTS_AT + 1
if own then
  if reaches < last or (reaches == last and (own.ended or not ends)) then return { 'ok', 'kept' } end
  if own.ended then return { 'ok', 'refused' } end
end
if first > last + 1 and ARGV[4] ~= '1' then return { 'ok', 'behind', text(last) } end

-- All checks passed. A server without memory refuses the first write, and so the whole script.
local function drop_oldest(stream, name)
  local field = name .. ':' .. text(stream.first)
  local size = #(redis.call('HGET', KEYS[3], field) or '')
  redis.call('HDEL', KEYS[3], field)
  stream.first, stream.bytes, total = stream.first + 1, stream.bytes - size, total - size
end

-- Drops another stream: an ended one if possible, and the least recently changed one.
local function drop_one()
  local oldest
  for name, stream in pairs(all) do
    if name ~= id then
      local than = oldest and all[oldest]
      if not than or (stream.ended and not than.ended)
        or (stream.ended == than.ended and stream.changed < than.changed) then
        oldest = name
      end
    end
  end
  if not oldest then return false end
  while all[oldest].first <= all[oldest].last do drop_oldest(all[oldest], oldest) end
  redis.call('HDEL', KEYS[2], oldest)
  all[oldest], count = nil, count - 1
  return true
end

if not own then
  while count >= tonumber(ARGV[7]) and drop_one() do end
  own = { first = 1, last = 0, bytes = 0 }
  all[id] = own
end
if first > last + 1 then
  while own.first <= own.last do drop_oldest(own, id) end
  own.first, own.last = first, first - 1
end
own.changed, own.ended = changes + 1, ends
for at = EVENTS_AT + own.last + 1 - first, #ARGV do
  local size = #ARGV[at]
  while own.first <= own.last and (own.last - own.first + 1 >= tonumber(ARGV[5])
    or own.bytes + size > tonumber(ARGV[6])) do
    drop_oldest(own, id)
  end
  own.last, own.bytes, total = own.last + 1, own.bytes + size, total + size
  redis.call('HSET', KEYS[3], id .. ':' .. text(own.last), ARGV[at])
  while total > tonumber(ARGV[8]) and drop_one() do end
end
redis.call('HSET', KEYS[2], id, table.concat({
  text(own.first), text(own.last), text(own.bytes), own.ended and '1' or '0', text(own.changed),
}, ' '))
local kept_for = text(math.min(found.ttl, tonumber(ARGV[9])))
redis.call('PEXPIRE', KEYS[2], kept_for)
redis.call('PEXPIRE', KEYS[3], kept_for)
put_off(found, all)
return { 'ok', 'kept' }
