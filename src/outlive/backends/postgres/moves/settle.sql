-- End attempts for good.
-- moves: succeed running -> success
-- moves: fail running -> failed
-- moves: interrupt running -> interrupted
-- moves: cancel running -> cancelled
-- tally: 1
-- row: id text, fence int4, status text, at moment, error text, stacktrace text, reason text, result text
settle as (
    update outlive_record as record set
        status = move.status, ended_at = to_timestamp(move.at),
        error = move.error, stacktrace = move.stacktrace, reason = move.reason, result = move.result
    from {rows}
    where record.id = move.id and case when record.status = 'running' and record.fence = move.fence then true end
    returning move.place, record.final
)
