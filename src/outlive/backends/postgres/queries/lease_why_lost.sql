-- Why somebody was forced out of a lease.
select reason from outlive_lease_loss where holder = :holder;
