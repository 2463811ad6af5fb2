-- One record with its log and its attempts, by its id or one that stands for it.
-- needs: records
local id = asked.id
if call('exists', P .. 'r:' .. id) == 0 then
    id = call('get', P .. 'a:' .. id)
    if not id or call('exists', P .. 'r:' .. id) == 0 then
        return false
    end
end
return cmsgpack.pack({whole(id), call('lrange', P .. 'l:' .. id, 0, -1), call('lrange', P .. 'h:' .. id, 0, -1)})
