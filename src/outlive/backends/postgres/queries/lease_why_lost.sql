-- Why somebody was forced out of a lease.
select reason from outlive_lease_event where holder = :holder and event = 'forced' order by seq desc limit 1;
