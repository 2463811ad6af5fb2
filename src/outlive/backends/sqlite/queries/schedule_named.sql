-- The schedules with these names.
select json_group_array({schedule})
from (
    select * from outlive_schedule where name in (select value from json_each(:names)) order by name
) as schedule;
