-- ARGV: members. Returns how many of them were listed.
local dropped = 0
for _, member in ipairs(ARGV) do dropped = dropped + drop(member) end
return { 'ok', dropped }
