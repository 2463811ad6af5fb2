-- Count up to the next token.
update outlive_lease_fence set last = last + 1 where id = 1 returning last;
