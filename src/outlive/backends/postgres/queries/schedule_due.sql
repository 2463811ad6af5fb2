-- The schedules that are due, earliest first, and when the next one is: one row at least, whose schedule is null where
-- there is none.
select coming.next_at, {schedule}
from (
    select (
        select next_at from outlive_schedule
        where not paused and next_at > :now and not name = any(:without::text[])
        order by next_at limit 1
    ) as next_at
) as coming
left join lateral (
    select * from outlive_schedule
    where not paused and next_at <= :now and not name = any(:without::text[])
    order by next_at, name limit :limit
) as schedule on true
order by schedule.next_at, schedule.name;
