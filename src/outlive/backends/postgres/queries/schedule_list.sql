-- All schedules, by name.
select {schedule} from outlive_schedule as schedule order by name;
