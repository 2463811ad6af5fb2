-- Steps that the verbs of leases share. A queue is a list of turns, and for each who waits how long the place lasts.
local now = tonumber(asked.now)
local HANDOVER = 1.0

-- As many names as one call clears away after they have expired.
local LITTER = 20

local function forget_lease(key)
    call('del', P .. 'lease:' .. key)
    call('zrem', P .. 'leases', key)
end

local function forget_queue(key)
    call('del', P .. 'turns:' .. key, P .. 'until:' .. key)
    call('zrem', P .. 'queues', key)
end

local function leave(key, holder)
    call('zrem', P .. 'turns:' .. key, holder)
    call('hdel', P .. 'until:' .. key, holder)
end

-- The lease as its five facts, nil where nobody has it.
local function current(key)
    local values = call('hmget', P .. 'lease:' .. key, 'holder', 'fence', 'taken_at', 'expires_at')
    if not values[1] or tonumber(values[4]) <= now then
        return nil
    end
    return {key = key, holder = values[1], fence = values[2], taken_at = values[3], expires_at = values[4]}
end

local function packed(lease)
    return {lease.key, lease.holder, lease.fence, lease.taken_at, lease.expires_at}
end

-- Let the lease end at a moment; what else is written of it follows as fields and values.
local function keep_until(lease, at, ...)
    lease.expires_at = precise(at)
    call('hset', P .. 'lease:' .. lease.key, 'expires_at', lease.expires_at, ...)
    call('zadd', P .. 'leases', lease.expires_at, lease.key)
end

local function waiting(key)
    local live = {}
    for _, holder in ipairs(call('zrange', P .. 'turns:' .. key, 0, -1)) do
        if tonumber(call('hget', P .. 'until:' .. key, holder)) > now then
            live[#live + 1] = holder
        end
    end
    return live
end

local function wait_until(key, holder, at)
    local last = call('hget', P .. 'until:' .. key, holder)
    if not last or tonumber(last) <= now then
        call('zadd', P .. 'turns:' .. key, call('incr', P .. 'place'), holder)
    end
    call('hset', P .. 'until:' .. key, holder, precise(at))
    if at > tonumber(call('zscore', P .. 'queues', key) or 0) then
        call('zadd', P .. 'queues', precise(at), key)
    end
end

local function sweep()
    for _, key in ipairs(call('zrangebyscore', P .. 'leases', '-inf', asked.now, 'limit', 0, LITTER)) do
        forget_lease(key)
    end
    for _, key in ipairs(call('zrangebyscore', P .. 'queues', '-inf', asked.now, 'limit', 0, LITTER)) do
        forget_queue(key)
    end
end

-- Give a lease that nobody has to whoever comes first, else to `asking`, for so many seconds; who waited is called, in
-- the words of `Hints`.
local function grant_next(key, asking, seconds)
    local holder = asking
    for _, waiter in ipairs(call('zrange', P .. 'turns:' .. key, 0, -1)) do
        local live = tonumber(call('hget', P .. 'until:' .. key, waiter)) > now
        leave(key, waiter)
        if live then
            holder = waiter
            break
        end
    end
    if holder == '' then
        return nil
    end
    local lease = {key = key, holder = holder, fence = call('incr', P .. 'token'), taken_at = asked.now}
    local ends = now + (holder == asking and seconds or HANDOVER)
    keep_until(lease, ends, 'holder', holder, 'fence', lease.fence, 'taken_at', lease.taken_at)
    if holder ~= asking then
        call('publish', P .. 'hints', '- lease ' .. holder)
    end
    return lease
end

local function note_event(event)
    call('lpush', P .. 'lease_events', event)
    call('ltrim', P .. 'lease_events', 0, asked.most - 1)
end

local function pass_on(key)
    forget_lease(key)
    local lease = grant_next(key, '')
    return lease and lease.holder or false
end
