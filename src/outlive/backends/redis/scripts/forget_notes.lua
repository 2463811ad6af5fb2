-- Delete old notes of what people did. Their ids are in the order of their times, so the first ones are the oldest.
local forgotten = 0
for _, id in ipairs(call('zrangebylex', P .. 'notes', '-', '+', 'limit', 0, asked.limit)) do
    local entry = cjson.decode(call('hget', P .. 'note', id))
    if entry.at < asked.before then
        call('hdel', P .. 'note', id)
        call('zrem', P .. 'notes', id)
        if entry.target ~= cjson.null then
            call('zrem', P .. 'notes:' .. entry.target, id)
        end
        forgotten = forgotten + 1
    end
end
return forgotten
