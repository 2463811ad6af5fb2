-- Give up a lease or a place in the queue.
select had, called from outlive_lease_drop(:key, :holder, :handover, to_timestamp(:now::float8));
