-- Delete old notes of what people did. Their ids are in the order of their times, so the first ones are the oldest.
with forgotten as (
    delete from outlive_audit
    where at < to_timestamp(:before::float8) and id in (select id from outlive_audit order by id limit :limit)
    returning true
)
select count(*) from forgotten;
