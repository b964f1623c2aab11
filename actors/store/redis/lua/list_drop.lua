-- ARGV: members.
for _, member in ipairs(ARGV) do drop(member) end
return { 'ok' }
