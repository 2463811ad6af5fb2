-- Accept a run; an id that exists, a key that another record holds, or a slot that was not taken, takes no effect.
-- moves: enqueue nothing -> pending
-- moves: start pending -> running
-- moves: reject nothing -> rejected
local function stand_for(id, holder)
    if call('set', P .. 'a:' .. id, holder, 'nx') then
        call('sadd', P .. 'n:' .. holder, id)
    end
end

local accepted, nobody_is_known = {}, nil

-- Whether no record has any of the ids that are to be accepted: one look for all of them.
local function all_new()
    local keys = {}
    for _, move in ipairs(asked.moves) do
        if move[1] == 'enqueue' then
            keys[#keys + 1] = P .. 'r:' .. move[2]
        end
    end
    return count_of(keys) == 0
end

local function is_known(id)
    if nobody_is_known == nil then
        nobody_is_known = all_new()
    end
    return accepted[id] or not nobody_is_known and call('exists', P .. 'r:' .. id) == 1
end

function verbs.enqueue(id, move)
    local func, name, at, run_at, owner, started, priority, key, schedule, queue = unpack(move, 3, 12)
    local fields, facts, is_rejected, run_key = unpack(move, 13, 16)
    if is_known(id) then
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
    accepted[id] = true
    call('hset', P .. 'r:' .. id, unpack(fields))
    keep_text('f:' .. id, facts)
    enter('func:' .. func, 0, id)
    put_in('name:' .. name, func)
    if schedule then
        enter('slots:' .. schedule, 0, id)
    end
    if is_rejected then
        enter('status:rejected', 0, id)
        enter('ended:rejected', at, id)
        return true
    end
    local status, facts_of_line = started and 'running' or 'pending', {func = func, priority = priority, queue = queue}
    enter('status:' .. status, 0, id)
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
