-- The leases that have not run out, of one key or of all, with their waiters in the order of their turns.
select
    key, holder, fence, extract(epoch from taken_at)::float8, extract(epoch from expires_at)::float8,
    array(
        select waiter.holder from outlive_lease_waiter as waiter
        where waiter.key = lease.key and waiter.until > to_timestamp(:now::float8)
        order by waiter.seq
    )
from outlive_lease as lease
where expires_at > to_timestamp(:now::float8) and (:key::text is null or key = :key)
order by key;
