-- The instances that have joined.
local found = {}
for place, id in ipairs(call('smembers', P .. 'instances')) do
    found[place] = {id, call('hgetall', P .. 'instance:' .. id)}
end
return cmsgpack.pack(found)
