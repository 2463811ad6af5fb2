-- The lease of a key, unless it has run out, and who has waited longest for it; nothing stands for none.
select lease.holder, lease.fence, lease.taken_at, lease.expires_at, (
    select holder from outlive_lease_waiter where key = :key and until > :now order by seq limit 1
) as following
from (select 1)
left join outlive_lease as lease on lease.key = :key and lease.expires_at > :now;
