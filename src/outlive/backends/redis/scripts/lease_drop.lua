-- Give up the lease or the place in the queue; who comes next has the lease from now on.
-- needs: leases
local lease = current(asked.key)
if not lease or lease.holder ~= asked.holder then
    leave(asked.key, asked.holder)
    return cmsgpack.pack({false, false})
end
return cmsgpack.pack({true, pass_on(asked.key)})
