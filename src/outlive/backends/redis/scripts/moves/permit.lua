-- Take a place under each limit for an attempt that is about to start in this batch, or none.

-- Whether the attempt that took a place still holds it.
local function holds(id, fence)
    local now = call('hmget', P .. 'r:' .. id, 'status', 'fence')
    return (now[1] == 'running' and tonumber(now[2]) == fence) or permitted[id] == fence - 1
end

local function has_place(key, most)
    local places, held = call('hgetall', P .. 'places:' .. key), 0
    for at = 1, #places, 2 do
        if holds(places[at], tonumber(places[at + 1])) then
            held = held + 1
        else
            call('hdel', P .. 'places:' .. key, places[at])
        end
    end
    return held < most
end

local function used_until(key, now)
    return math.max(tonumber(call('get', P .. 'rate:' .. key) or 0), now)
end

local function has_room(limit, now)
    local key, most, pace, per = unpack(limit, 1, 4)
    if per then
        return used_until(key, now) + pace <= now + per
    end
    return has_place(key, most)
end

local function take_place(id, fence, limit, now)
    local key, _, pace, per = unpack(limit, 1, 4)
    if per then
        local used = used_until(key, now) + pace
        -- What is over by the asker's clock is of no use; the hour is for clocks that disagree.
        call('set', P .. 'rate:' .. key, precise(used), 'ex', math.ceil(used - now) + 3600)
        return ''
    end
    call('hset', P .. 'places:' .. key, id, fence + 1)
    return key .. '\31'
end

function verbs.permit(id, move)
    local fence, owner, at, limits, only_asks = unpack(move, 3, 7)
    local now = call('hmget', P .. 'r:' .. id, 'status', 'owner', 'fence')
    if now[1] ~= 'pending' or now[2] ~= owner or tonumber(now[3] or 0) ~= fence then
        return false
    end
    for _, limit in ipairs(limits) do
        if not has_room(limit, tonumber(at)) then
            return false
        end
    end
    if only_asks then
        return true
    end
    local places = ''
    for _, limit in ipairs(limits) do
        places = places .. take_place(id, fence, limit, tonumber(at))
    end
    if places ~= '' then
        call('hset', P .. 'r:' .. id, 'places', places)
    end
    permitted[id] = fence
    return true
end
