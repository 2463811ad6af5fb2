-- Accept a run; an id that exists, a key that another record holds, or a slot that was not taken, takes no effect.
-- moves: enqueue nothing -> pending
-- moves: start pending -> running
-- moves: reject nothing -> rejected
local function stand_for(id, holder)
    if call('set', P .. 'a:' .. id, holder, 'nx') then
        call('sadd', P .. 'n:' .. holder, id)
    end
end

function verbs.enqueue(id, move)
    local func, name, at, run_at, owner, started, priority, key, schedule, queue = unpack(move, 3, 12)
    local fields, facts, is_rejected, run_key = unpack(move, 13, 16)
    local record = P .. 'r:' .. id
    if call('exists', record) == 1 then
        return false
    end
    if schedule and call('hget', P .. 'schedule:' .. schedule, 'last_id') ~= id then
        return false
    end
    local holder = key and not is_rejected and holder_of('key:' .. key)
    if holder then
        stand_for(id, holder)
        return false
    end
    if run_key and holder_of('run_key:' .. run_key) then
        return false
    end
    if key and not is_rejected then
        call('set', P .. 'key:' .. key, id)
    end
    if run_key then
        call('set', P .. 'run_key:' .. run_key, id)
        call('zadd', P .. 'planned', run_at, id)
    end
    call('hset', record, unpack(fields))
    call('set', P .. 'f:' .. id, facts)
    call('zadd', P .. 'func:' .. func, 0, id)
    note('name:' .. name, func)
    if schedule then
        call('zadd', P .. 'slots:' .. schedule, 0, id)
    end
    if is_rejected then
        call('zadd', P .. 'status:rejected', 0, id)
        call('zadd', P .. 'ended:rejected', at, id)
        return true
    end
    local status, facts_of_line = started and 'running' or 'pending', {func = func, priority = priority, queue = queue}
    call('zadd', P .. 'status:' .. status, 0, id)
    arrive(id, facts_of_line, status, at)
    if schedule then
        call('sadd', P .. 'runs:' .. schedule, id)
    end
    if owner then
        own(id, owner, started or at)
    elseif not started then
        free(id, facts_of_line, run_at)
    end
    return true
end
