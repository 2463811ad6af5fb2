-- The instances that have joined.
select
    id, host, pid, extract(epoch from started_at)::float8, lease, extract(epoch from beat_at)::float8,
    version, slots, draining
from outlive_instance order by id;
