-- Let the lease end so many seconds from now.
-- needs: leases
local lease = current(asked.key)
if not lease or lease.holder ~= asked.holder then
    return 0
end
keep_until(lease, now + asked.seconds)
return 1
