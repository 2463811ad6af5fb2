-- Give due records that nobody owns to whoever asks: best priority first, then oldest. Says when the next one is due.
-- needs: indexes
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

-- Whether nothing is missing of any of them, which are ids and scores in turn.
local function are_whole(found)
    local keys = {}
    for place = 1, #found, 2 do
        keys[place], keys[place + 1] = P .. 'r:' .. found[place], P .. 'f:' .. found[place]
    end
    return count_of(keys) == #keys
end

local function due_in(line, count, due)
    local range = {'-inf', asked.now, 'withscores', 'limit', 0, count + #asked.refused}
    local found = call('zrangebyscore', P .. 'free:' .. line, unpack(range))
    local all_whole = are_whole(found)
    for place = 1, #found, 2 do
        if not all_whole and not is_whole(found[place]) then
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

local function without_reason(key, now)
    for place = 1, #now, 2 do
        if now[place] == 'reason' then
            call('hdel', key, 'reason')
            table.remove(now, place)
            table.remove(now, place)
            return now
        end
    end
    return now
end

local function hand_over(chosen)
    local key = P .. 'r:' .. chosen.id
    take_from_line(chosen.id, chosen.line)
    own(chosen.id, asked.owner, asked.now)
    call('hset', key, 'owner', asked.owner)
    return {chosen.id, without_reason(key, call('hgetall', key))}
end

-- Put the facts behind what was handed over.
local function with_facts(replies)
    local keys = {}
    for place, reply in ipairs(replies) do
        keys[place] = P .. 'f:' .. reply[1]
    end
    for at = 1, #keys, MOST do
        for place, facts in ipairs(call('mget', unpack(keys, at, math.min(at + MOST - 1, #keys)))) do
            replies[at + place - 1][3] = facts
        end
    end
end

local handed, next_at, new = {}, nil, {}
for _, id in ipairs(call('lrange', done, 0, -1)) do
    local now = call('hmget', P .. 'r:' .. id, 'owner', 'status')
    if now[1] == asked.owner and now[2] == 'pending' and is_whole(id) then
        handed[#handed + 1] = {id, call('hgetall', P .. 'r:' .. id)}
    end
end
forget_heard()

for _, lines_of_level in ipairs(levels()) do
    local due, left = {}, asked.limit - #handed
    for _, line in ipairs(lines_of_level) do
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
        new[#new + 1] = due[place].id
        handed[#handed + 1] = hand_over(due[place])
    end
end
with_facts(handed)
write_indexes()
if #handed > 0 then
    say('rpush', done, new)
    call('expire', done, asked.remember)
end
return cmsgpack.pack({handed, next_at or false})
