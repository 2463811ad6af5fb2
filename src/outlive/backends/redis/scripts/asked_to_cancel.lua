-- Live records of an owner that somebody asked to cancel, and why.
local found = {}
for _, id in ipairs(call('smembers', P .. 'asked')) do
    local values = call('hmget', P .. 'r:' .. id, 'owner', 'reason')
    if values[1] == asked.owner then
        found[#found + 1] = {id, values[2]}
    end
end
return cmsgpack.pack(found)
