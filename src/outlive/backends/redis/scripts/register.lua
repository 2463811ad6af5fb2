-- Take over the schedules that an instance declares; what has been there goes on, unless its rule is another now.
local function let_fire(name, key, at)
    call('hset', key, 'next_at', at)
    call('zadd', P .. 'due', at, name)
end

for _, entry in ipairs(asked.entries) do
    local name, func, rule, next_at, startup_window = unpack(entry, 1, 5)
    local key = P .. 'schedule:' .. name
    local known = call('hmget', key, 'rule', 'paused', 'last_at')
    call('zadd', P .. 'schedules', 0, name)
    call('hset', key, 'func', func, 'rule', rule)
    if known[1] ~= rule then
        put_or_clear(key, 'next_at', next_at)
        call('zrem', P .. 'due', name)
        if next_at and not known[2] then
            call('zadd', P .. 'due', next_at, name)
        end
    end
    local has_fired = known[3] and startup_window and asked.now - known[3] < tonumber(startup_window)
    if startup_window and not known[2] and not has_fired then
        let_fire(name, key, asked.now)
    end
end
return 1
