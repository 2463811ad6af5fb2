-- What a body says while it runs: a line of the log, and how far it has come.
function verbs.log(id, move)
    if call('exists', P .. 'r:' .. id) == 0 then
        return false
    end
    call('rpush', P .. 'l:' .. id, move[3])
    return true
end

function verbs.advance(id, move)
    local fence, progress = unpack(move, 3, 4)
    local now = call('hmget', P .. 'r:' .. id, 'status', 'fence')
    if now[1] ~= 'running' or tonumber(now[2]) ~= fence then
        return false
    end
    call('hset', P .. 'r:' .. id, 'progress', progress)
    return true
end
