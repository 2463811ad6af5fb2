-- Let failed attempts be followed by another of the same owner.
-- moves: retry running -> pending
-- row: id, fence, at, error, stacktrace, reason, run_at
update outlive_record set
    status = 'pending', started_at = null, run_at = coalesce(move.run_at, move.at),
    error = move.error, stacktrace = move.stacktrace, reason = move.reason
from {rows} as move
where outlive_record.id = move.id and status = 'running' and outlive_record.fence = move.fence;
