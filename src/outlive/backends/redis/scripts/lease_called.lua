-- Those of the given waiters that hold a lease by now.
local wanted, found = set_of(asked.holders), {}
for _, key in ipairs(call('zrange', P .. 'leases', 0, -1)) do
    local holder = call('hget', P .. 'lease:' .. key, 'holder')
    if wanted[holder] then
        found[#found + 1] = holder
    end
end
return cmsgpack.pack(found)
