-- Whether somebody asked an instance to take no new work.
return cmsgpack.pack(call('hget', P .. 'instance:' .. asked.id, 'draining') == '1')
