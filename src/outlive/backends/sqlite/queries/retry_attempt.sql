-- Keep the attempt that a retry follows; guarded like retry.sql.
-- row: id, fence, at, error, stacktrace, reason, run_at
insert into outlive_attempt (task_id, number, started_at, ended_at, outcome, error, stacktrace, owner)
select record.id, record.fence, record.started_at, move.at, 'failed', move.error, move.stacktrace, record.owner
from {rows} as move
join outlive_record as record on record.id = move.id
where record.status = 'running' and record.fence = move.fence
on conflict do nothing;
