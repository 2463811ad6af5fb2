-- Give up a lease that has not run out.
delete from outlive_lease where key = :key and holder = :holder and expires_at > :now;
