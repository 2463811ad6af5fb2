-- Instances that have not beaten for their lease, and owners that are no instances and got nothing for a while.
local lost = {}
for _, id in ipairs(call('smembers', P .. 'instances')) do
    local values = call('hmget', P .. 'instance:' .. id, 'beat', 'lease')
    if id ~= asked.asking and asked.now - values[1] > tonumber(values[2]) then
        lost[#lost + 1] = id
    end
end
for _, owner in ipairs(call('smembers', P .. 'owners')) do
    local newest = call('zrevrange', P .. 'owner:' .. owner, 0, 0, 'withscores')
    if not newest[1] then
        call('srem', P .. 'owners', owner)
    elseif owner ~= asked.asking and call('exists', P .. 'instance:' .. owner) == 0 then
        if tonumber(newest[2]) < tonumber(asked.before) then
            lost[#lost + 1] = owner
        end
    end
end
return cmsgpack.pack(lost)
