-- Begin attempts.
-- moves: start pending -> running
-- row: id, fence, owner, at, limited
update outlive_record set
    status = 'running', fence = outlive_record.fence + 1, attempts = attempts + 1, started_at = move.at,
    error = null, stacktrace = null, reason = null, progress = null
from {rows} as move
where outlive_record.id = move.id and status = 'pending'
    and outlive_record.fence = move.fence and outlive_record.owner = move.owner
    and (not move.limited or exists (
        select 1 from outlive_permit where task_id = move.id and outlive_permit.fence = move.fence
    ));
