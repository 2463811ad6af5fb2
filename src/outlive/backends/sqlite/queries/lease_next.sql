-- Who has waited longest for a lease.
select holder from outlive_lease_waiter where key = :key and until > :now order by seq limit 1;
