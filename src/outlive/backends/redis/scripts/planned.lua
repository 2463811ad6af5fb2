-- Records that hold a run key and may start before a moment, earliest first.
-- needs: indexes
-- needs: records
local found = {}
for _, id in ipairs(call('zrangebyscore', P .. 'planned', '-inf', '(' .. asked.before, 'limit', 0, asked.limit)) do
    found[#found + 1] = whole(id)
end
return cmsgpack.pack(found)
