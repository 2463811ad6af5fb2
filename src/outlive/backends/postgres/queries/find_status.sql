-- A page of the list of some statuses: the newest of each, merged. A status is given as a range and stands in the order,
-- since for one that is equal the planner would walk the list of all by its id.
with {live}
select {record}
from (
    select ended.* from unnest(:statuses::text[]) as wanted (status)
    cross join lateral (
        select one.* from outlive_record as one
        where one.final >= wanted.status and (one.final, one.id) < (wanted.status, :before)
            and (:func::text is null or :func in (one.func, one.func_name))
            and (:queue::text is null or one.queue = :queue) and (:source::text is null or one.source = :source)
        order by one.final desc, one.id desc limit :limit
    ) as ended
    union all
    select * from live
) as record
order by record.id desc limit :limit;
