-- The other instances, and whether their lease has run out. Owners of live records that are no instances (any more)
-- and have accepted and started nothing for a lease; from one owner to the next by the index.
with recursive holder (owner) as (
    select min(owner) from outlive_record where final is null and owner is not null
    union all
    select (
        select min(record.owner) from outlive_record as record
        where record.final is null and record.owner is not null and record.owner > holder.owner
    )
    from holder where holder.owner is not null
)
select id, to_timestamp(:now::float8) - beat_at > make_interval(secs => lease) from outlive_instance
where id <> :asking
union all
select owner, true from holder
where owner is not null
    and owner <> :asking
    and not exists (select from outlive_instance where outlive_instance.id = holder.owner)
    and to_timestamp(:now::float8) - make_interval(secs => :lease) > (
        select max(coalesce(record.started_at, record.created_at)) from outlive_record as record
        where record.final is null and record.owner is not null and record.owner = holder.owner
    );
