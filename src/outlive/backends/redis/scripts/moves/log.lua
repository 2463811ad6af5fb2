-- Append a line to the log of a record.
function verbs.log(id, move)
    if call('exists', P .. 'r:' .. id) == 0 then
        return false
    end
    call('rpush', P .. 'l:' .. id, move[3])
    return true
end
