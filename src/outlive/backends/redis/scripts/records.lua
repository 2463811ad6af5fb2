-- Steps that several verbs share: how a record changes its status and its owner.
local STATUSES = {'pending', 'running', 'success', 'failed', 'interrupted', 'cancelled', 'rejected'}
local LIVE = {pending = true, running = true}

local function lane_of(record)
    return record.queue or 'default'
end

-- The facts of a record without its arguments.
local function facts_of(id)
    return (text_of('f:' .. id) or '{}'):match('^[^\n]*')
end

-- Note that a live record has this status; `created_at` is the moment of its acceptance where that is at hand.
local function arrive(id, record, status, created_at)
    local lane = lane_of(record)
    put_in('lanes', lane)
    if status == 'running' then
        put_in('running:' .. lane, id)
    else
        created_at = created_at or precise(cjson.decode(facts_of(id)).created_at or 0)
        enter('waiting:' .. lane, created_at, id)
    end
end

-- An attempt has ended: others may have its places under limits.
local function give_up_places(id, record)
    for key in (record.places or ''):gmatch('[^\31]+') do
        call('hdel', P .. 'places:' .. key, id)
    end
    if record.places then
        call('hdel', P .. 'r:' .. id, 'places')
    end
end

local function change_status(id, record, from, to)
    strike('status:' .. from, id)
    enter('status:' .. to, 0, id)
    if from == 'pending' then
        strike('waiting:' .. lane_of(record), id)
    elseif from == 'running' then
        take_out('running:' .. lane_of(record), id)
        give_up_places(id, record)
    end
    if LIVE[to] then
        arrive(id, record, to)
    end
end

local function own(id, owner, at)
    enter('owner:' .. owner, at, id)
    put_in('owners', owner)
end

local function disown(id, owner)
    strike('owner:' .. owner, id)
end

local function line_of(record)
    return (record.priority or '0') .. ':' .. lane_of(record) .. '\31' .. record.func
end

-- Let anybody claim the record from `run_at` on.
local function free(id, record, run_at)
    local line = line_of(record)
    enter('free:' .. line, run_at, id)
    joined[line] = record.priority or '0'
end

-- The queue and the function of a line.
local function parts_of(line)
    return line:match('^[^:]*:([^\31]*)\31(.*)$')
end

local function take_from_line(id, line)
    strike('free:' .. line, id)
    left[line] = true
end

-- What is there of a record, nil where there is none.
local function read(id)
    local flat = call('hgetall', P .. 'r:' .. id)
    if not flat[1] then
        return nil
    end
    local record = {}
    for place = 1, #flat, 2 do
        record[flat[place]] = flat[place + 1]
    end
    return record
end

local function remember_attempt(id, record, outcome, ended)
    if not record.started then
        return
    end
    local attempt = {
        record.fence, record.started, ended or cjson.null, outcome,
        record.error or cjson.null, record.trace or cjson.null, record.owner or cjson.null
    }
    call('rpush', P .. 'h:' .. id, cjson.encode(attempt))
    call('hdel', P .. 'r:' .. id, 'started', 'ended')
end

-- A run key is held until the record starts or ends.
local function let_go_of_run_key(id, run_key)
    if run_key and call('get', P .. 'run_key:' .. run_key) == id then
        call('del', P .. 'run_key:' .. run_key)
        call('zrem', P .. 'planned', id)
    end
end

-- The record that holds a key, unless it was thrown away without a word.
local function holder_of(key)
    local holder = call('get', P .. key)
    return holder and call('exists', P .. 'r:' .. holder) == 1 and holder
end

-- End a record that was live.
local function finish(id, record, status, at)
    change_status(id, record, record.status, status)
    enter('ended:' .. status, at, id)
    if record.owner then
        disown(id, record.owner)
    else
        take_from_line(id, line_of(record))
    end
    if record.schedule then
        call('srem', P .. 'runs:' .. record.schedule, id)
    end
    if record.asked then
        call('srem', P .. 'asked', id)
    end
    let_go_of_run_key(id, record.run_key)
    if record.key and status ~= 'success' then
        call('del', P .. 'key:' .. record.key)
    end
end

-- A record as a reply: its id, what changes, what does not; nil where a part was evicted or deleted by hand.
local function whole(id)
    local now, facts = call('hgetall', P .. 'r:' .. id), text_of('f:' .. id)
    return #now > 0 and facts and {id, now, facts} or nil
end

-- How many of these keys there are.
local function count_of(keys)
    local count = 0
    for at = 1, #keys, MOST do
        count = count + call('exists', unpack(keys, at, math.min(at + MOST - 1, #keys)))
    end
    return count
end

-- Answers are kept until the asker says that it has heard them.
local function forget_heard()
    for _, token in ipairs(asked.heard) do
        call('del', P .. 'done:' .. token)
    end
end
