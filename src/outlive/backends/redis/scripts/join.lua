-- Announce an instance.
local key = P .. 'instance:' .. asked.id
call('sadd', P .. 'instances', asked.id)
call('hset', key, 'host', asked.host, 'pid', asked.pid, 'started_at', asked.started_at)
call('hset', key, 'lease', asked.lease, 'beat', asked.now, 'version', asked.version, 'slots', asked.slots)
return 1
