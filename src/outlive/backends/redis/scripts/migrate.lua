-- Bring the keys to the next layout, unless somebody else has done so.
if tonumber(call('hget', P .. 'schema', 'version') or 0) + 1 ~= asked.version then
    return 0
end
-- {migration}
call('hset', P .. 'schema', 'version', asked.version, 'compatible_from', asked.compatible_from)
return 1
