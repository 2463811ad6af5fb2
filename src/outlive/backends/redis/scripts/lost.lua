-- The other instances, and whether they have not beaten for their lease; the same of owners that are no instances, from
-- whether they got nothing for a while.
local found = {}
for _, id in ipairs(call('smembers', P .. 'instances')) do
    local values = call('hmget', P .. 'instance:' .. id, 'beat', 'lease')
    if id ~= asked.asking then
        found[#found + 1] = {id, asked.now - values[1] > tonumber(values[2])}
    end
end
for _, owner in ipairs(call('smembers', P .. 'owners')) do
    local newest = call('zrevrange', P .. 'owner:' .. owner, 0, 0, 'withscores')
    if not newest[1] then
        call('srem', P .. 'owners', owner)
    elseif owner ~= asked.asking and call('exists', P .. 'instance:' .. owner) == 0 then
        found[#found + 1] = {owner, tonumber(newest[2]) < tonumber(asked.before)}
    end
end
return cmsgpack.pack(found)
