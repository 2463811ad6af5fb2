-- Store arguments and result in another form, where they still are in the form that they had.
function verbs.rewrite(id, move)
    local had_arguments, arguments, had_result, result = unpack(move, 3, 6)
    local text = text_of('f:' .. id)
    if not text then
        return false
    end
    local facts, is_there, now = text:match('^([^\n]*)(\n?)(.*)$')
    if (is_there ~= '' and now or nil) ~= had_arguments or (text_of('x:' .. id) or nil) ~= had_result then
        return false
    end
    keep_text('f:' .. id, arguments and facts .. '\n' .. arguments or facts)
    keep_text('x:' .. id, result or false)
    return true
end
