-- The records that were handed over, in the order of the claim.
select json_group_array({record})
from (
    select * from outlive_record where rowid in (select value from json_each(:picked))
    order by coalesce(priority, 0) desc, run_at, id
) as record;
