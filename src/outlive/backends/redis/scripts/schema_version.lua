-- Which layout the keys have, and the oldest one whose release can work on them; zeros where there are none.
local found = call('hmget', P .. 'schema', 'version', 'compatible_from')
return cmsgpack.pack({tonumber(found[1] or 0), tonumber(found[2] or 0)})
