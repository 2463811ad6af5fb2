-- The newest events, of one key or of all.
local found = {}
for _, event in ipairs(call('lrange', P .. 'lease_events', 0, -1)) do
    if #found < asked.limit and (not asked.key or cjson.decode(event)[1] == asked.key) then
        found[#found + 1] = event
    end
end
return cmsgpack.pack(found)
