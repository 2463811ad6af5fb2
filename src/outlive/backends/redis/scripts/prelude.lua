-- What every script begins with: its arguments, and how a key is named.
local P, call = KEYS[1] .. ':', redis.call
local asked = cmsgpack.unpack(ARGV[1])

local function precise(number)
    return string.format('%.17g', number)
end

local function set_of(list)
    local set = {}
    for _, value in ipairs(list) do
        set[value] = true
    end
    return set
end

local function put_or_clear(key, field, value)
    if value then
        call('hset', key, field, value)
    else
        call('hdel', key, field)
    end
end
