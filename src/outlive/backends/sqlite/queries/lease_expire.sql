-- Forget the leases that have run out.
delete from outlive_lease where expires_at <= :now;
