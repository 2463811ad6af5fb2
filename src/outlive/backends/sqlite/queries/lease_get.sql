-- The lease of a key, unless it has run out.
select key, holder, fence, taken_at, expires_at from outlive_lease where key = :key and expires_at > :now;
