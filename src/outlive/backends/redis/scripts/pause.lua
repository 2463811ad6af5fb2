-- Pause a schedule or let it go on.
-- needs: schedules_kit
local key = P .. 'schedule:' .. asked.name
local now = call('hmget', key, 'rule', 'paused')
if not now[1] or (now[2] and true or false) == asked.paused then
    return 0
end
put_or_clear(key, 'paused', asked.paused and 1)
set_next(asked.name, asked.next_at, asked.paused)
return 1
