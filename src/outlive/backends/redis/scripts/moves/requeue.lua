-- Let an ended record run again, unless another has taken its key meanwhile.
-- moves: requeue failed -> pending
-- moves: requeue interrupted -> pending
-- moves: requeue cancelled -> pending
-- moves: requeue rejected -> pending
-- moves: requeue success -> pending
function verbs.requeue(id, move)
    local at = move[3]
    local record = read(id)
    if not record or LIVE[record.status] or record.unrecoverable then
        return false
    end
    if record.key then
        local holder = holder_of('key:' .. record.key)
        if holder and holder ~= id then
            return false
        end
        call('set', P .. 'key:' .. record.key, id)
    end
    local key = P .. 'r:' .. id
    remember_attempt(id, record, record.status, record.ended)
    call('hdel', key, 'owner', 'error', 'trace', 'reason', 'ended', 'asked', 'run_key', 'progress')
    keep_text('x:' .. id, false)
    call('hset', key, 'status', 'pending', 'run_at', at, 'attempts', 0)
    strike('ended:' .. record.status, id)
    change_status(id, record, record.status, 'pending')
    if record.schedule then
        call('sadd', P .. 'runs:' .. record.schedule, id)
    end
    free(id, record, at)
    return true
end
