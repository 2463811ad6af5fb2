-- The instances that have joined.
select json_group_array(json_array(
    id, host, pid, cast(started_at as integer), started_at - cast(started_at as integer), lease,
    cast(beat_at as integer), beat_at - cast(beat_at as integer),
    version, json(slots), draining
))
from (select * from outlive_instance order by id);
