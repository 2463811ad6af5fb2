-- Steps that the verbs of schedules share.
local function set_next(name, next_at, is_paused)
    put_or_clear(P .. 'schedule:' .. name, 'next_at', next_at)
    if next_at and not is_paused then
        call('zadd', P .. 'due', next_at, name)
    else
        call('zrem', P .. 'due', name)
    end
end

local function add(entry)
    local key = P .. 'schedule:' .. entry.name
    call('zadd', P .. 'schedules', 0, entry.name)
    call('hset', key, 'func', entry.func, 'rule', entry.rule, 'policy', entry.policy)
    put_or_clear(key, 'paused', entry.paused and 1)
    set_next(entry.name, entry.next_at, entry.paused)
end

-- Put a rule and a policy in force; the same rule keeps its time.
local function change(entry, rule, is_paused)
    call('hset', P .. 'schedule:' .. entry.name, 'rule', entry.rule, 'policy', entry.policy)
    if rule ~= entry.rule then
        set_next(entry.name, entry.next_at, is_paused)
    end
end
