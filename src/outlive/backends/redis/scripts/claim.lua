-- Give due records that nobody owns to whoever asks: best priority first, then oldest. Says when the next one is due.
-- needs: records
local wanted, refused, without = set_of(asked.functions), set_of(asked.refused), set_of(asked.without_queues)
local queues = asked.queues and set_of(asked.queues)

local function suits(line)
    local queue, func = parts_of(line)
    return wanted[func] and not without[queue] and (not queues or queues[queue])
end

-- The lines that suit the asker, as lists of those with one priority, best first.
local function levels()
    local found, last = {}, nil
    local lines = call('zrevrange', P .. 'lines', 0, -1, 'withscores')
    for place = 1, #lines, 2 do
        local line, priority = lines[place], lines[place + 1]
        if suits(line) then
            if priority ~= last then
                found[#found + 1] = {}
                last = priority
            end
            table.insert(found[#found], line)
        end
    end
    return found
end

local function is_whole(id)
    return call('exists', P .. 'r:' .. id, P .. 'f:' .. id) == 2
end

local function due_in(line, count, due)
    local range = {'-inf', asked.now, 'withscores', 'limit', 0, count + #asked.refused}
    local found = call('zrangebyscore', P .. 'free:' .. line, unpack(range))
    for place = 1, #found, 2 do
        if not is_whole(found[place]) then
            take_from_line(found[place], line)
        elseif not refused[found[place]] then
            due[#due + 1] = {id = found[place], run_at = tonumber(found[place + 1]), line = line}
        end
    end
end

local function earlier(one, other)
    if one.run_at ~= other.run_at then
        return one.run_at < other.run_at
    end
    return one.id < other.id
end

-- What was handed over without being heard of, so that it is not forgotten with its owner.
local done = P .. 'done:' .. asked.token

local function hand_over(chosen)
    take_from_line(chosen.id, chosen.line)
    local key = P .. 'r:' .. chosen.id
    call('hset', key, 'owner', asked.owner)
    call('hdel', key, 'reason')
    own(chosen.id, asked.owner, asked.now)
    call('rpush', done, chosen.id)
    return whole(chosen.id)
end

local handed, next_at = {}, nil
for _, id in ipairs(call('lrange', done, 0, -1)) do
    local now = call('hmget', P .. 'r:' .. id, 'owner', 'status')
    if now[1] == asked.owner and now[2] == 'pending' and is_whole(id) then
        handed[#handed + 1] = whole(id)
    end
end
forget_heard()

for _, lines in ipairs(levels()) do
    local due, left = {}, asked.limit - #handed
    for _, line in ipairs(lines) do
        if left > 0 then
            due_in(line, left, due)
        end
        local later = call('zrangebyscore', P .. 'free:' .. line, '(' .. asked.now, '+inf', 'withscores', 'limit', 0, 1)
        if later[2] and (not next_at or tonumber(later[2]) < tonumber(next_at)) then
            next_at = later[2]
        end
    end
    table.sort(due, earlier)
    for place = 1, math.min(left, #due) do
        handed[#handed + 1] = hand_over(due[place])
    end
end
if #handed > 0 then
    call('expire', done, asked.remember)
end
return cmsgpack.pack({handed, next_at or false})
