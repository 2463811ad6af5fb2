-- A page of the list of one function, by its identity or its display name. The index knows the functions that have
-- run: `kind` hops from each to the next. A range for each, as in `find_status.sql`.
with {live},
kind (func, func_name) as (
    (select func, func_name from outlive_record where final is not null order by func, func_name limit 1)
    union all
    select following.func, following.func_name from kind
    cross join lateral (
        select next.func, next.func_name from outlive_record as next
        where next.final is not null and (next.func, next.func_name) > (kind.func, kind.func_name)
        order by next.func, next.func_name limit 1
    ) as following
)
select {record}
from (
    select ended.* from kind
    cross join lateral (
        select one.* from outlive_record as one
        where one.final is not null and (one.func, one.func_name) >= (kind.func, kind.func_name)
            and (one.func, one.func_name, one.id) < (kind.func, kind.func_name, :before)
            and (:statuses::text[] is null or one.status = any(:statuses::text[]))
            and (:queue::text is null or one.queue = :queue) and (:source::text is null or one.source = :source)
        order by one.func desc, one.func_name desc, one.id desc limit :limit
    ) as ended
    where :func in (kind.func, kind.func_name)
    union all
    select * from live
) as record
order by record.id desc limit :limit;
