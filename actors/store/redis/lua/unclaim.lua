-- KEYS: key of a creation. ARGV: the session that has ended. The key may name another one by now.
if redis.call('HGET', KEYS[1], 'session') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return { 'ok' }
