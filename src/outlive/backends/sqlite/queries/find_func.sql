-- A page of the list of one function, by its identity or its display name. The index knows the functions: `kind`
-- hops from each to the next.
with recursive kind (at) as (
    select (select rowid from outlive_record order by func, func_name limit 1)
    union all
    select coalesce(
        (
            select next.rowid from outlive_record as next
            where next.func = here.func and next.func_name > here.func_name
            order by next.func_name limit 1
        ),
        (
            select next.rowid from outlive_record as next
            where next.func > here.func
            order by next.func, next.func_name limit 1
        )
    )
    from kind join outlive_record as here on here.rowid = kind.at
)
select json_group_array({record})
from (
    select chosen.* from kind
    join outlive_record as wanted on wanted.rowid = kind.at and :func in (wanted.func, wanted.func_name)
    join outlive_record as chosen on chosen.rowid in (
        select one.rowid from outlive_record as one
        where one.func = wanted.func and one.func_name = wanted.func_name and one.id < :before
            and (:statuses is null or one.status in (select value from json_each(:statuses)))
            and (:queue is null or one.queue = :queue) and (:source is null or one.source = :source)
        order by one.id desc limit :limit
    )
    order by chosen.id desc limit :limit
) as record;
