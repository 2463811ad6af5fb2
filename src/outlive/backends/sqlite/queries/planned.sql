-- Runs that can still be replaced by their key and may start before a moment, earliest first.
select json_group_array({record})
from (
    select * from outlive_record
    where run_key is not null and status = 'pending' and fence = 0 and run_at < :before
    order by run_at, id
    limit :limit
) as record;
