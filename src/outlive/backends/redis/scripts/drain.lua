-- Ask an instance to take no new work, or to take it again.
local key = P .. 'instance:' .. asked.id
if call('exists', key) == 0 or (call('hget', key, 'draining') == '1') == asked.draining then
    return 0
end
call('hset', key, 'draining', asked.draining and '1' or '0')
return 1
