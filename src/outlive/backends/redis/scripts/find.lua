-- A page of records, newest first: of the indexes that could answer, the one with fewer records is walked. After so
-- many records that did not match it stops and says where, so that no call keeps the server from others for long.
-- needs: records
local function cards(keys)
    local sum = 0
    for _, key in ipairs(keys) do
        sum = sum + call('zcard', key)
    end
    return sum
end

local function by_status()
    local keys = {}
    for _, status in ipairs(asked.statuses or STATUSES) do
        keys[#keys + 1] = P .. 'status:' .. status
    end
    return keys
end

local function by_func()
    local keys, seen = {P .. 'func:' .. asked.func}, {[asked.func] = true}
    for _, func in ipairs(call('smembers', P .. 'name:' .. asked.func)) do
        if not seen[func] then
            seen[func] = true
            keys[#keys + 1] = P .. 'func:' .. func
        end
    end
    return keys, seen
end

local keys, funcs = by_status(), nil
local check_status, check_func = false, false
if asked.func then
    local others
    others, funcs = by_func()
    if asked.statuses and cards(keys) < cards(others) then
        check_func = true
    else
        keys, check_status = others, asked.statuses ~= nil
    end
end
local statuses = set_of(asked.statuses or {})
local checks = check_status or check_func or asked.queue or asked.source

local function matches(id)
    local values = call('hmget', P .. 'r:' .. id, 'status', 'func', 'queue', 'source')
    return (not check_status or statuses[values[1]])
        and (not check_func or funcs[values[2]])
        and (not asked.queue or asked.queue == (values[3] or 'default'))
        and (not asked.source or asked.source == (values[4] or 'manual'))
end

local function newest(below, count)
    local ids = {}
    for _, key in ipairs(keys) do
        for _, id in ipairs(call('zrevrangebylex', key, below, '-', 'limit', 0, count)) do
            ids[#ids + 1] = id
        end
    end
    table.sort(ids, function(one, other) return one > other end)
    return ids
end

local found, looked_at, last = {}, 0, nil
local below, step = asked.before and '(' .. asked.before or '+', math.max(asked.limit, 100)
while #found < asked.limit and looked_at < asked.patience do
    local ids = newest(below, step)
    for place = 1, math.min(step, #ids) do
        last = ids[place]
        if not checks or matches(last) then
            found[#found + 1] = whole(last)  -- nothing where it is nil
        end
        looked_at = looked_at + 1
        if #found == asked.limit then
            break
        end
    end
    if #ids < step then
        return cmsgpack.pack({found, false})
    end
    below = '(' .. last
end
return cmsgpack.pack({found, #found < asked.limit and last or false})
