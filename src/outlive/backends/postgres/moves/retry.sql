-- Let failed attempts be followed by another of the same owner, and keep them.
-- moves: retry running -> pending
-- row: id text, fence int4, at moment, error text, stacktrace text, reason text, run_at moment
retry as (
    update outlive_record as record set
        status = 'pending', started_at = null, run_at = to_timestamp(coalesce(move.run_at, move.at)),
        error = move.error, stacktrace = move.stacktrace, reason = move.reason
    from {rows}
    where record.id = move.id and case when record.status = 'running' and record.fence = move.fence then true end
    returning move.place, record.id, move.at, move.error, move.stacktrace
),
retry_attempt as (
    -- `old` is the record as it was before this statement.
    insert into outlive_attempt (task_id, number, started_at, ended_at, outcome, error, stacktrace, owner)
    select old.id, old.fence, old.started_at, to_timestamp(retry.at), 'failed', retry.error, retry.stacktrace, old.owner
    from retry join outlive_record as old on old.id = retry.id
    on conflict do nothing
)
