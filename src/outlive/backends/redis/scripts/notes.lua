-- What was done, newest first; of everything, or of one target.
local index = asked.target and P .. 'notes:' .. asked.target or P .. 'notes'
local below, found = asked.before and '(' .. asked.before or '+', {}
for place, id in ipairs(call('zrevrangebylex', index, below, '-', 'limit', 0, asked.limit)) do
    found[place] = call('hget', P .. 'note', id)
end
return cmsgpack.pack(found)
