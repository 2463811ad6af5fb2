-- The newest gaps of a schedule.
return cmsgpack.pack(asked.limit > 0 and call('lrange', P .. 'gaps:' .. asked.name, 0, asked.limit - 1) or {})
