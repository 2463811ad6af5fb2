-- Say on records of functions that the asker does not know why they wait. What a line says already costs nothing.
-- needs: indexes
-- needs: records
local known, count = set_of(asked.functions), 0
for _, line in ipairs(call('zrange', P .. 'lines', 0, -1)) do
    local _, func = parts_of(line)
    if not known[func] then
        local ids = P .. 'free:' .. line
        count = count + call('zcard', ids)
        if call('hget', P .. 'told', line) ~= asked.reason then
            for _, id in ipairs(call('zrange', ids, 0, -1)) do
                if call('exists', P .. 'r:' .. id) == 1 then
                    call('hset', P .. 'r:' .. id, 'reason', asked.reason)
                end
            end
            call('hset', P .. 'told', line, asked.reason)
        end
    end
end
return count
