-- Take the lease from whoever has it, who can read the reason for a while.
-- needs: leases
local lease = current(asked.key)
if not lease then
    return cmsgpack.pack({false, false})
end
call('set', P .. 'lost:' .. lease.holder, asked.reason, 'ex', asked.remember)
return cmsgpack.pack({true, pass_on(asked.key)})
