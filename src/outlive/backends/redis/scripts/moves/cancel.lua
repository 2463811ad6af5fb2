-- Cancel what has not started, and ask the owner of what runs; the mark holds until the record has ended.
-- moves: cancel pending -> cancelled
local function cancel(id, record, at, reason)
    call('hset', P .. 'r:' .. id, 'status', 'cancelled', 'ended', at, 'reason', reason)
    finish(id, record, 'cancelled', at)
    return true
end

function verbs.cancel(id, move)
    local at, reason = unpack(move, 3, 4)
    local record = read(id)
    return record and record.status == 'pending' and cancel(id, record, at, reason)
end

-- What holds a run key has not started.
function verbs.withdraw(_, move)
    local run_key, at, reason = unpack(move, 3, 5)
    local id = holder_of('run_key:' .. run_key)
    local record = id and read(id)
    return record and record.status == 'pending' and cancel(id, record, at, reason)
end

function verbs.ask_cancel(id, move)
    local key = P .. 'r:' .. id
    if call('hget', key, 'status') ~= 'running' then
        return false
    end
    call('hset', key, 'asked', 1)
    put_or_clear(key, 'reason', move[3])
    call('sadd', P .. 'asked', id)
    return true
end
