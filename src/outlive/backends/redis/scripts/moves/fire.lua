-- Take a slot, unless it is another's by now. Where a run lives, an exclusive one takes it as missed, and one that
-- waits has no effect.
function verbs.fire(id, move)
    local name, slot, next_at, at, fired, exclusive, waits, missed, reason, overlaps = unpack(move, 3, 12)
    local schedule = P .. 'schedule:' .. name
    local state = call('hmget', schedule, 'next_at', 'paused')
    if not state[1] or state[2] or tonumber(state[1]) ~= tonumber(slot) then
        return false
    end
    local is_running = (exclusive or waits) and call('exists', P .. 'runs:' .. name) == 1
    if is_running and waits then
        return false
    end
    if is_running and fired then
        fired, missed, reason = nil, missed + 1, overlaps
    end
    if missed > 0 then
        local gap = cjson.encode({slot, missed, at, reason or cjson.null})
        call('lpush', P .. 'gaps:' .. name, gap)
        call('ltrim', P .. 'gaps:' .. name, 0, asked.gaps - 1)
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
