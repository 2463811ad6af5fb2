-- Take a slot, unless it is another's by now. An exclusive one that meets a live run takes it as missed.
function verbs.fire(id, move)
    local name, slot, next_at, at, fired, exclusive, missed, reason, overlaps = unpack(move, 3, 11)
    local schedule = P .. 'schedule:' .. name
    local state = call('hmget', schedule, 'next_at', 'paused')
    if not state[1] or state[2] or tonumber(state[1]) ~= tonumber(slot) then
        return false
    end
    if fired and exclusive and call('exists', P .. 'runs:' .. name) == 1 then
        fired, missed, reason = nil, missed + 1, overlaps
    end
    if missed > 0 then
        call('hincrby', schedule, 'missed', missed)
        call('hset', schedule, 'missed_at', at)
        put_or_clear(schedule, 'missed_reason', reason)
    end
    if fired then
        call('hset', schedule, 'last_at', fired, 'last_id', id)
    end
    put_or_clear(schedule, 'next_at', next_at)
    if next_at then
        call('zadd', P .. 'due', next_at, name)
    else
        call('zrem', P .. 'due', name)
    end
    return true
end
