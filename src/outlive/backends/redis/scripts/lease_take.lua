-- Give the lease to whoever asks if nobody else has it or comes first, else a place in the queue where one is wanted.
-- needs: leases
if asked.sweeps then
    sweep()
end
local key, holder = asked.key, asked.holder
local lease = current(key)
if not lease then
    lease = grant_next(key, holder, asked.seconds)
elseif lease.holder == holder then
    keep_until(lease, now + asked.seconds)
end
if lease.holder ~= holder and asked.wait > 0 then
    wait_until(key, holder, now + asked.wait)
end
return cmsgpack.pack(packed(lease))
