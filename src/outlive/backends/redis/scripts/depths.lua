-- How many live records each queue has, and when the oldest that waits was accepted.
local found = {}
for _, lane in ipairs(call('smembers', P .. 'lanes')) do
    local pending, running = call('zcard', P .. 'waiting:' .. lane), call('scard', P .. 'running:' .. lane)
    if pending + running > 0 then
        local oldest = call('zrange', P .. 'waiting:' .. lane, 0, 0, 'withscores')
        found[#found + 1] = {lane, pending, running, oldest[2] or false}
    else
        call('srem', P .. 'lanes', lane)
    end
end
return cmsgpack.pack(found)
