-- The leases that have not run out, of one key or of all, with their waiters in the order of their turns.
select json_group_array(json_object(
    'key', key, 'holder', holder, 'fence', fence, 'taken_at', taken_at, 'expires_at', expires_at,
    'waiting', json(waiting)
))
from (
    select lease.*, (
        select json_group_array(holder) from (
            select waiter.holder from outlive_lease_waiter as waiter
            where waiter.key = lease.key and waiter.until > :now
            order by waiter.seq
        )
    ) as waiting
    from outlive_lease as lease
    where lease.expires_at > :now and (:key is null or lease.key = :key)
    order by lease.key
);
