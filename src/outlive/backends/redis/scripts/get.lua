-- One record with its log and its attempts, by its id or one that stands for it.
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
return cmsgpack.pack({found, call('lrange', P .. 'l:' .. id, 0, -1), call('lrange', P .. 'h:' .. id, 0, -1)})
