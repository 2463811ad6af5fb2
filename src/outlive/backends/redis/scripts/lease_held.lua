-- The leases that have not expired, of one key or of all, with those who wait.
-- needs: leases
local keys = asked.key and {asked.key} or call('zrangebyscore', P .. 'leases', '(' .. asked.now, '+inf')
table.sort(keys)
local found = {}
for _, key in ipairs(keys) do
    local lease = current(key)
    if lease then
        local facts = packed(lease)
        facts[6] = waiting(key)
        found[#found + 1] = facts
    end
end
return cmsgpack.pack(found)
