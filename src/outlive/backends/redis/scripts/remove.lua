-- Forget a schedule and its gaps; its records stay.
call('zrem', P .. 'schedules', asked.name)
call('zrem', P .. 'due', asked.name)
call('del', P .. 'gaps:' .. asked.name)
return call('del', P .. 'schedule:' .. asked.name)
