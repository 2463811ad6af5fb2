-- Pause a schedule or let it go on.
local key = P .. 'schedule:' .. asked.name
local now = call('hmget', key, 'rule', 'paused')
if not now[1] or (now[2] and true or false) == asked.paused then
    return 0
end
put_or_clear(key, 'paused', asked.paused and 1)
put_or_clear(key, 'next_at', asked.next_at)
if asked.paused or not asked.next_at then
    call('zrem', P .. 'due', asked.name)
else
    call('zadd', P .. 'due', asked.next_at, asked.name)
end
return 1
