-- Keep the newest events.
delete from outlive_lease_event where seq <= (select max(seq) from outlive_lease_event) - :keep;
