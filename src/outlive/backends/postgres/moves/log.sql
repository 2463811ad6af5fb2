-- Append lines to the logs of records.
-- row: id text, attempt int4, at moment, level text, message text
log as (
    select move.place, record.id, move.attempt, move.at, move.level, move.message
    from {rows} join outlive_record as record on record.id = move.id
),
line as (
    insert into outlive_log (task_id, attempt, at, level, message)
    select id, attempt, to_timestamp(at), level, message from log order by place
)
