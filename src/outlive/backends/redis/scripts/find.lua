-- A page of records, newest first: of the indexes that could answer, the one with fewer records is walked. After so
-- many records that did not match it stops and says where, so that no call keeps the server from others for long.
-- needs: indexes
-- needs: records
local function cards(keys)
    local sum = 0
    for _, key in ipairs(keys) do
        sum = sum + call('zcard', key)
    end
    return sum
end

local function with_prefix(kind, names)
    local keys = {}
    for place, name in ipairs(names) do
        keys[place] = P .. kind .. ':' .. name
    end
    return keys
end

-- The functions that are called so: by their identity, and by what screens show.
local function functions()
    local names = call('smembers', P .. 'name:' .. asked.func)
    if not set_of(names)[asked.func] then
        names[#names + 1] = asked.func
    end
    return names
end

local funcs = asked.func and functions()
local keys = with_prefix('status', asked.statuses or STATUSES)
local fewest = cards(keys)

local function choose(others)
    local count = cards(others)
    if count < fewest or not asked.statuses then
        keys, fewest = others, count
    end
end

if funcs then
    choose(with_prefix('func', funcs))
end
if asked.schedule then
    choose({P .. 'slots:' .. asked.schedule})
end

local wanted_status, wanted_func = asked.statuses and set_of(asked.statuses), funcs and set_of(funcs)
local checks = asked.func or asked.queue or asked.source or asked.schedule

local function matches(id)
    local values = call('hmget', P .. 'r:' .. id, 'status', 'func', 'queue', 'source', 'schedule')
    return (not wanted_status or wanted_status[values[1]])
        and (not wanted_func or wanted_func[values[2]])
        and (not asked.queue or asked.queue == (values[3] or 'default'))
        and (not asked.source or asked.source == (values[4] or 'manual'))
        and (not asked.schedule or asked.schedule == values[5])
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
