-- How many records have each status: the live ones by counting, the ended ones as the triggers have counted.
select json_group_object(status, records)
from (
    select status, count(*) as records from outlive_record where ended_at is null group by status
    union all
    select status, records from outlive_count where records > 0
);
