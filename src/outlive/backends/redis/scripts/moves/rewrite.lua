-- Store arguments and result in another form, where they still are in the form that they had.
function verbs.rewrite(id, move)
    local had_arguments, arguments, had_result, result = unpack(move, 3, 6)
    local text = call('get', P .. 'f:' .. id)
    if not text then
        return false
    end
    local facts, is_there, now = text:match('^([^\n]*)(\n?)(.*)$')
    if (is_there ~= '' and now or nil) ~= had_arguments or (call('get', P .. 'x:' .. id) or nil) ~= had_result then
        return false
    end
    call('set', P .. 'f:' .. id, arguments and facts .. '\n' .. arguments or facts)
    if result then
        call('set', P .. 'x:' .. id, result)
    else
        call('del', P .. 'x:' .. id)
    end
    return true
end
