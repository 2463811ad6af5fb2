-- One record with its log, its attempts and its result, by its id or one that stands for it.
-- needs: indexes
-- needs: records
local id = asked.id
local found = whole(id)
if not found then
    id = call('get', P .. 'a:' .. id)
    found = id and whole(id)
    if not found then
        return false
    end
end
local logs, past = call('lrange', P .. 'l:' .. id, 0, -1), call('lrange', P .. 'h:' .. id, 0, -1)
return cmsgpack.pack({found, logs, past, call('get', P .. 'x:' .. id)})
