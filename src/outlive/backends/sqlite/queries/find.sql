-- A page of the list, newest first.
select json_group_array({record})
from (
    select * from outlive_record
    where id < :before
        and (:queue is null or queue = :queue) and (:source is null or source = :source)
    order by id desc limit :limit
) as record;
