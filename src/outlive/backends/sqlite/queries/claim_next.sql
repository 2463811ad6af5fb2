-- When the earliest free record that is not due yet can be claimed.
with recursive level (priority) as (
    select (
        select coalesce(priority, 0) from outlive_record where status = 'pending' and owner is null
        order by coalesce(priority, 0) desc limit 1
    )
    union all
    select (
        select coalesce(lower.priority, 0) from outlive_record as lower
        where lower.status = 'pending' and lower.owner is null and coalesce(lower.priority, 0) < level.priority
        order by coalesce(lower.priority, 0) desc limit 1
    )
    from level where level.priority is not null
)
select min((
    select later.run_at from outlive_record as later
    where later.status = 'pending' and later.owner is null and coalesce(later.priority, 0) = level.priority
        and later.run_at > :now and later.func in (select value from json_each(:functions))
        and (:queues is null or later.queue in (select value from json_each(:queues)))
        and later.queue not in (select value from json_each(:without_queues))
    order by later.run_at limit 1
))
from level where level.priority is not null;
