-- Give the lease to whoever asks if nobody else has it or comes first, else a place in the queue where one is wanted.
-- needs: leases
sweep()
local key, holder = asked.key, asked.holder
local lease = current(key) or grant_next(key, holder)
if lease.holder == holder then
    keep_until(lease, now + asked.seconds)
elseif asked.wait > 0 then
    wait_until(key, holder, now + asked.wait)
end
return cmsgpack.pack(packed(lease))
