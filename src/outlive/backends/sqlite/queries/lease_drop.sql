-- Give up a lease that has not run out, and say who has waited longest for it.
delete from outlive_lease where key = :key and holder = :holder and expires_at > :now
returning (select waiter.holder from outlive_lease_waiter as waiter where waiter.key = :key and waiter.until > :now
    order by waiter.seq limit 1);
