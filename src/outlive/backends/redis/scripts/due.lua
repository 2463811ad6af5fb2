-- The schedules whose time has come, earliest first, and when the next one is.
local without, found, next_at = set_of(asked.without), {}, nil
local range = {'-inf', asked.now, 'limit', 0, asked.limit + #asked.without}
for _, name in ipairs(asked.limit > 0 and call('zrangebyscore', P .. 'due', unpack(range)) or {}) do
    if not without[name] and #found < asked.limit then
        found[#found + 1] = {name, call('hgetall', P .. 'schedule:' .. name)}
    end
end
local later = call('zrangebyscore', P .. 'due', '(' .. asked.now, '+inf', 'withscores', 'limit', 0, 1 + #asked.without)
for place = 1, #later, 2 do
    if not next_at and not without[later[place]] then
        next_at = later[place + 1]
    end
end
return cmsgpack.pack({found, next_at or false})
