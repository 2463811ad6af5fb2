-- Entries of indexes, and texts, are noted while a script works and written at its end, with one command for each index:
-- `write_indexes()` is the last thing that a script does which changes records.
local MOST = 1000

local sorted, plain, texts = {}, {}, {}
-- Lines that somebody came into, with their priority, and lines that somebody left.
local joined, left = {}, {}

local function note_entry(indexes, index, member, value)
    local members = indexes[index]
    if not members then
        members = {}
        indexes[index] = members
    end
    members[member] = value
end

local function enter(index, score, id)
    note_entry(sorted, index, id, score)
end

local function strike(index, id)
    note_entry(sorted, index, id, false)
end

local function put_in(set, member)
    note_entry(plain, set, member, true)
end

local function take_out(set, member)
    note_entry(plain, set, member, false)
end

-- What is stored under a key that holds a text.
local function text_of(key)
    local text = texts[key]
    if text == nil then
        return call('get', P .. key)
    end
    return text
end

-- Store a text under a key; false deletes it.
local function keep_text(key, text)
    texts[key] = text
end

-- A command about one key with many words, so many at a time as Lua can pass.
local function say(command, key, words)
    for at = 1, #words, MOST do
        call(command, key, unpack(words, at, math.min(at + MOST - 1, #words)))
    end
end

local function write_sorted(index, members)
    local entered, struck = {}, {}
    for id, score in pairs(members) do
        if score then
            entered[#entered + 1] = score
            entered[#entered + 1] = id
        else
            struck[#struck + 1] = id
        end
    end
    say('zadd', P .. index, entered)
    say('zrem', P .. index, struck)
end

local function write_plain(set, members)
    local put, taken = {}, {}
    for member, is_in in pairs(members) do
        local words = is_in and put or taken
        words[#words + 1] = member
    end
    say('sadd', P .. set, put)
    say('srem', P .. set, taken)
end

local function write_texts()
    local words = {}
    for key, text in pairs(texts) do
        if text then
            words[#words + 1] = P .. key
            words[#words + 1] = text
        else
            call('del', P .. key)
        end
    end
    for at = 1, #words, MOST do
        call('mset', unpack(words, at, math.min(at + MOST - 1, #words)))
    end
end

-- A line is on the list of lines while somebody is in it. What it is told holds for those who were in it then.
local function write_lines()
    for line in pairs(left) do
        if call('exists', P .. 'free:' .. line) == 0 then
            call('zrem', P .. 'lines', line)
            call('hdel', P .. 'told', line)
            joined[line] = nil
        end
    end
    for line, priority in pairs(joined) do
        call('zadd', P .. 'lines', priority, line)
        call('hdel', P .. 'told', line)
    end
end

local function write_indexes()
    write_texts()
    for index, members in pairs(sorted) do
        write_sorted(index, members)
    end
    for set, members in pairs(plain) do
        write_plain(set, members)
    end
    write_lines()
end
