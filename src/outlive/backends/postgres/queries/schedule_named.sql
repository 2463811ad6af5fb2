-- The schedules with these names.
select {schedule} from outlive_schedule as schedule where name = any(:names::text[]) order by name;
