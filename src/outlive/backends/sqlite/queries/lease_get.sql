-- The lease of a key.
select key, holder, fence, taken_at, expires_at from outlive_lease where key = :key;
