-- The schedules that are due, earliest first, and when the next one is.
select
    (
        select json_group_array({schedule})
        from (
            select * from outlive_schedule
            where not paused and next_at <= :now and name not in (select value from json_each(:without))
            order by next_at, name limit :limit
        ) as schedule
    ),
    (
        select next_at from outlive_schedule
        where not paused and next_at > :now and name not in (select value from json_each(:without))
        order by next_at limit 1
    );
