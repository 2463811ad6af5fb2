-- Forget an instance and take records from it, so many at a time: what is left is asked for again. With `if_lost` one
-- that has beaten meanwhile keeps everything.
-- moves: interrupt running -> pending
-- moves: interrupt running -> interrupted
-- moves: interrupt pending -> interrupted
-- needs: indexes
-- needs: records
local now, reason = asked.now, asked.reason

local function repeat_later(id, record)
    local key = P .. 'r:' .. id
    record.error = reason
    remember_attempt(id, record, 'interrupted', now)
    call('hincrby', key, 'attempts', -1)
    change_status(id, record, 'running', 'pending')
    call('hset', key, 'status', 'pending')
end

local function let_go(id, record)
    call('hdel', P .. 'r:' .. id, 'owner')
    disown(id, record.owner)
    free(id, record, record.run_at)
end

local function give_up(id, record)
    call('hset', P .. 'r:' .. id, 'status', 'interrupted', 'ended', now)
    finish(id, record, 'interrupted', now)
end

local sign = call('hmget', P .. 'instance:' .. asked.instance, 'beat', 'lease')
if asked.if_lost and sign[1] and asked.now - sign[1] <= tonumber(sign[2]) then
    return cmsgpack.pack({{}, {}, false, true})
end

call('del', P .. 'instance:' .. asked.instance)
call('srem', P .. 'instances', asked.instance)

local requeued, interrupted = {}, {}

local function rescue(id, record)
    call('hset', P .. 'r:' .. id, 'reason', reason)
    if record.status == 'running' and record.repeatable then
        repeat_later(id, record)
        let_go(id, record)
        requeued[#requeued + 1] = id
    elseif record.status == 'pending' and not record.unrecoverable then
        let_go(id, record)
        requeued[#requeued + 1] = id
    else
        give_up(id, record)
        interrupted[#interrupted + 1] = id
    end
end

local ids = call('zrange', P .. 'owner:' .. asked.instance, 0, asked.limit - 1)
for _, id in ipairs(ids) do
    local record = read(id)
    if record then
        rescue(id, record)
    else
        disown(id, asked.instance)
    end
end
write_indexes()
return cmsgpack.pack({requeued, interrupted, #ids == asked.limit, false})
