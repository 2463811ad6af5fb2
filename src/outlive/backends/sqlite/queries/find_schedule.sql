-- A page of what a schedule has run.
select json_group_array({record})
from (
    select * from outlive_record
    where schedule = :schedule and id < :before
        and (:statuses is null or status in (select value from json_each(:statuses)))
        and (:func is null or :func in (func, func_name))
        and (:queue is null or queue = :queue) and (:source is null or source = :source)
    order by id desc limit :limit
) as record;
