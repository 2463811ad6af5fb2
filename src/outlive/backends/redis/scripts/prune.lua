-- Delete records that ended long ago, with everything that belongs to them.
local function forget(id, status)
    local record = call('hmget', P .. 'r:' .. id, 'func', 'key', 'schedule')
    call('zrem', P .. 'status:' .. status, id)
    call('zrem', P .. 'ended:' .. status, id)
    if record[1] then
        call('zrem', P .. 'func:' .. record[1], id)
    end
    if record[3] then
        call('zrem', P .. 'slots:' .. record[3], id)
    end
    if record[2] and call('get', P .. 'key:' .. record[2]) == id then
        call('del', P .. 'key:' .. record[2])
    end
    for _, alias in ipairs(call('smembers', P .. 'n:' .. id)) do
        call('del', P .. 'a:' .. alias)
    end
    call('del', P .. 'r:' .. id, P .. 'f:' .. id, P .. 'l:' .. id, P .. 'h:' .. id, P .. 'n:' .. id)
end

local count = 0
for _, status in ipairs(asked.statuses) do
    local range = {'-inf', '(' .. asked.before, 'limit', 0, asked.limit - count}
    for _, id in ipairs(call('zrangebyscore', P .. 'ended:' .. status, unpack(range))) do
        forget(id, status)
        count = count + 1
    end
end
return count
