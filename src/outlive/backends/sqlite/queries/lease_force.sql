-- Note why somebody is forced out of a lease.
insert or replace into outlive_lease_loss (holder, reason, at)
select holder, :reason, :now from outlive_lease where key = :key and expires_at > :now;
