-- Accept a run; an id that exists, a key that another record holds, or a slot that was not taken, takes no effect.
-- moves: enqueue nothing -> pending
-- moves: start pending -> running
local function stand_for(id, holder)
    if call('set', P .. 'a:' .. id, holder, 'nx') then
        call('sadd', P .. 'n:' .. holder, id)
    end
end

function verbs.enqueue(id, move)
    local func, name, at, run_at, owner, started, priority, key, schedule, fields, facts = unpack(move, 3, 13)
    local record = P .. 'r:' .. id
    if call('exists', record) == 1 then
        return false
    end
    if schedule and call('hget', P .. 'schedule:' .. schedule, 'last_id') ~= id then
        return false
    end
    if key then
        local holder = call('get', P .. 'key:' .. key)
        if holder then
            stand_for(id, holder)
            return false
        end
        call('set', P .. 'key:' .. key, id)
    end
    call('hset', record, unpack(fields))
    call('set', P .. 'f:' .. id, facts)
    call('zadd', P .. 'status:' .. (started and 'running' or 'pending'), 0, id)
    call('zadd', P .. 'func:' .. func, 0, id)
    note('name:' .. name, func)
    if schedule then
        call('sadd', P .. 'runs:' .. schedule, id)
    end
    if owner then
        own(id, owner, started or at)
    elseif not started then
        free(id, {func = func, priority = priority}, run_at)
    end
    return true
end
