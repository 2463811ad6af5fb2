-- One record with its result, its logs and the attempts it has left behind, by its id or by one that stands for it.
select
    {record},
    record.result,
    (
        select json_group_array(json_array(attempt, cast(at as integer), at - cast(at as integer), level, message))
        from (select attempt, at, level, message from outlive_log where task_id = record.id order by seq)
    ),
    (
        select json_group_array(json_array(
            number, cast(started_at as integer), started_at - cast(started_at as integer),
            cast(ended_at as integer), ended_at - cast(ended_at as integer), outcome, error, stacktrace, owner
        ))
        from (select * from outlive_attempt where task_id = record.id order by number)
    )
from outlive_record as record
where record.id = coalesce(
    (select known.id from outlive_record as known where known.id = :id),
    (select alias.record_id from outlive_alias as alias where alias.id = :id)
);
