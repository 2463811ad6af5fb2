-- What an owner does with a pending record that it does not run: let others have it, or end it.
-- moves: interrupt pending -> interrupted
local function owned_pending(id, owner)
    local record = read(id)
    return record and record.status == 'pending' and record.owner == owner and record
end

function verbs.release(id, move)
    local owner, reason = unpack(move, 3, 4)
    local record = owned_pending(id, owner)
    if not record then
        return false
    end
    local key = P .. 'r:' .. id
    call('hdel', key, 'owner')
    put_or_clear(key, 'reason', reason)
    disown(id, owner)
    free(id, record, record.run_at)
    return true
end

function verbs.abandon(id, move)
    local owner, at, reason = unpack(move, 3, 5)
    local record = owned_pending(id, owner)
    if not record then
        return false
    end
    call('hset', P .. 'r:' .. id, 'status', 'interrupted', 'ended', at, 'reason', reason)
    finish(id, record, 'interrupted', at)
    return true
end
