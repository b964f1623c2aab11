-- KEYS: connection, streams, events. ARGV: stream, number after which to read, bytes that are enough for one answer.
local found, refusal = connection()
if not found then return refusal end
local written = redis.call('HGET', KEYS[2], ARGV[1])
local stream = written and read_stream(written)
if not stream then return { 'missing' } end
local events, bytes = {}, 0
local at = math.max(stream.first, tonumber(ARGV[2]) + 1)
while at <= stream.last and bytes < tonumber(ARGV[3]) do
  local event = redis.call('HGET', KEYS[3], ARGV[1] .. ':' .. text(at))
  if event then
    events[#events + 1] = text(at)
    events[#events + 1] = event
    bytes = bytes + #event
  end
  at = at + 1
end
return { 'ok', stream.ended and '1' or '0', at <= stream.last and '1' or '0', events }
