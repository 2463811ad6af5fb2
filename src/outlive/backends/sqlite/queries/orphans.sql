-- Owners of live records that are no instances (any more) and have accepted and started nothing for a lease. From one
-- owner to the next by the index: there are few owners and maybe many records.
with recursive holder (owner) as (
    select min(owner) from outlive_record where ended_at is null and owner is not null
    union all
    select (
        select min(record.owner) from outlive_record as record
        where record.ended_at is null and record.owner is not null and record.owner > holder.owner
    )
    from holder
    where holder.owner is not null
)
select json_group_array(owner)
from holder
where owner is not null
    and owner <> :asking
    and owner not in (select id from outlive_instance)
    and :now - :lease > (
        select max(coalesce(record.started_at, record.created_at)) from outlive_record as record
        where record.ended_at is null and record.owner = holder.owner
    );
