-- What was set for queues at run time.
return cmsgpack.pack(call('hgetall', P .. 'settings'))
