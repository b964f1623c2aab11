-- KEYS: members in order, members by end. ARGV: members.
for _, member in ipairs(ARGV) do
  redis.call('ZREM', KEYS[1], member)
  redis.call('ZREM', KEYS[2], member)
end
return { 'ok' }
