-- How many records have each status.
-- needs: indexes
-- needs: records
local counts = {}
for _, status in ipairs(STATUSES) do
    local count = call('zcard', P .. 'status:' .. status)
    if count > 0 then
        counts[#counts + 1] = {status, count}
    end
end
return cmsgpack.pack(counts)
