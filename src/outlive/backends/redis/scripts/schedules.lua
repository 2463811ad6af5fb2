-- All schedules, or those with the names that are asked for, by name.
local found = {}
for _, name in ipairs(asked.names or call('zrange', P .. 'schedules', 0, -1)) do
    if not asked.names or call('zscore', P .. 'schedules', name) then
        found[#found + 1] = {name, call('hgetall', P .. 'schedule:' .. name)}
    end
end
return cmsgpack.pack(found)
