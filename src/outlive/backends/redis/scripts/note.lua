-- Keep what somebody did.
call('hset', P .. 'note', asked.id, asked.entry)
call('zadd', P .. 'notes', 0, asked.id)
if asked.target then
    call('zadd', P .. 'notes:' .. asked.target, 0, asked.id)
end
return 1
