-- Keep the attempt that ended records leave behind; guarded like requeue.sql.
-- row: id, at
insert into outlive_attempt (task_id, number, started_at, ended_at, outcome, error, stacktrace, owner)
select
    record.id, record.fence, record.started_at, record.ended_at, record.status, record.error, record.stacktrace,
    record.owner
from {rows} as move
join outlive_record as record on record.id = move.id
where record.ended_at is not null and record.recoverable and record.started_at is not null
    and not exists (
        select 1 from outlive_record as holder
        where holder.idempotency_key = record.idempotency_key and holder.id <> record.id
            and holder.idempotency_key is not null and holder.status in ('pending', 'running', 'success')
    )
on conflict do nothing;
