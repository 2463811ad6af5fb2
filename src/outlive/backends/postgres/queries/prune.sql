-- Delete ended records, and what goes with them.
with old as (
    select id from outlive_record
    where ended_at < to_timestamp(:before::float8) and final = any(:statuses::text[])
        and (:functions::text[] is null or func = any(:functions::text[])) and not func = any(:without::text[])
    order by ended_at limit :limit for update skip locked
),
gone as (
    delete from outlive_record as record using old where record.id = old.id and record.final is not null
    returning record.id, record.final
),
logs as (
    delete from outlive_log as log using gone where log.task_id = gone.id
),
attempts as (
    delete from outlive_attempt as attempt using gone where attempt.task_id = gone.id
),
aliases as (
    delete from outlive_alias as alias using gone where alias.record_id = gone.id
),
places as (
    delete from outlive_place as place using gone where place.task_id = gone.id
),
permits as (
    delete from outlive_permit as permit using gone where permit.task_id = gone.id
),
tally as (
    insert into outlive_tally as tally (writer, final, count)
    select '', final, -count(*) from gone group by final order by final
    on conflict (writer, final) do update set count = tally.count + excluded.count
)
select count(*) from gone;
