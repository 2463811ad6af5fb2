-- The newest slots that became no run.
select json_group_array(json_array(
    cast(slot as integer), slot - cast(slot as integer), count, cast(at as integer), at - cast(at as integer), reason
))
from (select * from outlive_schedule_gap where schedule = :name order by seq desc limit :limit);
