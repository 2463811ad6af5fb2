-- All schedules, by name.
select json_group_array({schedule}) from (select * from outlive_schedule order by name) as schedule;
