-- End an attempt, for good or until it may be repeated.
-- moves: succeed running -> success
-- moves: fail running -> failed
-- moves: interrupt running -> interrupted
-- moves: cancel running -> cancelled
-- moves: retry running -> pending
-- moves: interrupt running -> pending
local function wait_again(id, record, at, run_at, outcome, keeps_owner)
    local key = P .. 'r:' .. id
    remember_attempt(id, record, outcome, at)
    call('hset', key, 'run_at', run_at)
    change_status(id, record, 'running', 'pending')
    if keeps_owner and record.owner then
        own(id, record.owner, at)
    else
        call('hincrby', key, 'attempts', keeps_owner and 0 or -1)
        call('hdel', key, 'owner')
        disown(id, record.owner or '')
        free(id, record, run_at)
    end
end

function verbs.settle(id, move)
    local fence, status, at, err, trace, reason, result, run_at, outcome, keeps_owner = unpack(move, 3, 12)
    local record = read(id)
    if not record or record.status ~= 'running' or tonumber(record.fence) ~= fence then
        return false
    end
    local key = P .. 'r:' .. id
    call('hset', key, 'status', status, 'ended', at)
    record.error, record.trace = err, trace
    if err then
        call('hset', key, 'error', err)
    end
    if trace then
        call('hset', key, 'trace', trace)
    end
    if result then
        keep_text('x:' .. id, result)
    end
    if reason or record.reason then
        put_or_clear(key, 'reason', reason)
    end
    if status == 'pending' then
        wait_again(id, record, at, run_at, outcome, keeps_owner)
    else
        finish(id, record, status, at)
    end
    return true
end
