-- Give up the lease or the place in the queue; who comes next has the lease from now on.
-- needs: leases
leave(asked.key, asked.holder)
local lease = current(asked.key)
if not lease or lease.holder ~= asked.holder then
    return cmsgpack.pack({false, false})
end
return cmsgpack.pack({true, pass_on(asked.key)})
