-- Why somebody was forced out.
return call('get', P .. 'lost:' .. asked.holder)
