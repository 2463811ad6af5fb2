-- Begin an attempt.
-- moves: start pending -> running
function verbs.start(id, move)
    local fence, owner, at, is_limited = unpack(move, 3, 6)
    local key = P .. 'r:' .. id
    local now = call('hmget', key, 'status', 'owner', 'fence', 'attempts', 'queue', 'run_key', 'reason')
    if now[1] ~= 'pending' or now[2] ~= owner or tonumber(now[3] or 0) ~= fence then
        return false
    end
    if is_limited and permitted[id] ~= fence then
        return false
    end
    call('hset', key, 'status', 'running', 'fence', fence + 1, 'attempts', (now[4] or 0) + 1, 'started', at)
    if fence > 0 or now[7] then
        call('hdel', key, 'ended', 'error', 'trace', 'reason', 'progress')
    end
    let_go_of_run_key(id, now[6])
    change_status(id, {queue = now[5]}, 'pending', 'running')
    own(id, owner, at)
    return true
end
