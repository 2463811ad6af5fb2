-- End attempts for good.
-- moves: succeed running -> success
-- moves: fail running -> failed
-- moves: interrupt running -> interrupted
-- moves: cancel running -> cancelled
-- row: id, fence, status, at, error, stacktrace, reason, result
update outlive_record set
    status = move.status, ended_at = move.at,
    error = move.error, stacktrace = move.stacktrace, reason = move.reason, result = move.result
from {rows} as move
where outlive_record.id = move.id and outlive_record.status = 'running' and outlive_record.fence = move.fence;
