-- All schedules, by name.
local found = {}
for place, name in ipairs(call('zrange', P .. 'schedules', 0, -1)) do
    found[place] = {name, call('hgetall', P .. 'schedule:' .. name)}
end
return cmsgpack.pack(found)
