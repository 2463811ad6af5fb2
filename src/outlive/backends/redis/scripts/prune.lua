-- Delete records that ended long ago, with everything that belongs to them. After so many records it stops and says how
-- many of each status it has passed over, so that no call keeps the server from others for long.
local only, without = asked.functions and set_of(asked.functions), set_of(asked.without)
local count, looked_at = 0, 0

local function forget(id, status, record)
    call('zrem', P .. 'status:' .. status, id)
    call('zrem', P .. 'ended:' .. status, id)
    if record[1] then
        call('zrem', P .. 'func:' .. record[1], id)
    end
    if record[2] and call('get', P .. 'key:' .. record[2]) == id then
        call('del', P .. 'key:' .. record[2])
    end
    if record[3] then
        call('zrem', P .. 'slots:' .. record[3], id)
    end
    for _, alias in ipairs(call('smembers', P .. 'n:' .. id)) do
        call('del', P .. 'a:' .. alias)
    end
    for _, kind in ipairs({'r:', 'f:', 'l:', 'h:', 'n:', 'x:'}) do
        call('del', P .. kind .. id)
    end
end

local function wants(func)
    return not without[func] and (not only or only[func])
end

-- How many more are passed over, and whether there may be others behind them.
local function prune(status, skipped)
    local range = {'-inf', '(' .. asked.before, 'limit', skipped, asked.limit - count}
    local ids = call('zrangebyscore', P .. 'ended:' .. status, unpack(range))
    for _, id in ipairs(ids) do
        local record = call('hmget', P .. 'r:' .. id, 'func', 'key', 'schedule')
        if wants(record[1]) then
            forget(id, status, record)
            count = count + 1
        else
            skipped = skipped + 1
        end
    end
    looked_at = looked_at + #ids
    return skipped, #ids > 0
end

local more = false
for place, status in ipairs(asked.statuses) do
    local is_left = count < asked.limit
    while is_left and looked_at < asked.patience do
        asked.skipped[place], is_left = prune(status, asked.skipped[place])
        is_left = is_left and count < asked.limit
    end
    more = more or is_left
end
return cmsgpack.pack({count, asked.skipped, more})
