-- A page of what is in one queue, unless it is the default one; saying so is what lets the index be used.
select json_group_array({record})
from (
    select * from outlive_record
    where queue = :queue and queue <> 'default' and id < :before
        and (:statuses is null or status in (select value from json_each(:statuses)))
        and (:func is null or :func in (func, func_name)) and (:source is null or source = :source)
    order by id desc limit :limit
) as record;
