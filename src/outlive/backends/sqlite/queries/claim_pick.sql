-- What `owner` would be given, and when the earliest free record that is not due yet can be claimed. Level by level of
-- priority, because within one level the due records come first and those that are not due need not be walked.
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
select
    (
        select json_group_array(at)
        from (
            select chosen.rowid as at from level
            join outlive_record as chosen on chosen.rowid in (
                select due.rowid from outlive_record as due
                where due.status = 'pending' and due.owner is null and coalesce(due.priority, 0) = level.priority
                    and due.run_at <= :now
                    and due.func in (select value from json_each(:functions))
                    and (:queues is null or due.queue in (select value from json_each(:queues)))
                    and due.queue not in (select value from json_each(:without_queues))
                    and due.id not in (select value from json_each(:refused))
                order by due.run_at, due.id limit :limit
            )
            order by coalesce(chosen.priority, 0) desc, chosen.run_at, chosen.id limit :limit
        )
    ),
    (
        select min((
            select later.run_at from outlive_record as later
            where later.status = 'pending' and later.owner is null and coalesce(later.priority, 0) = level.priority
                and later.run_at > :now and later.func in (select value from json_each(:functions))
                and (:queues is null or later.queue in (select value from json_each(:queues)))
                and later.queue not in (select value from json_each(:without_queues))
            order by later.run_at limit 1
        ))
        from level where level.priority is not null
    );
