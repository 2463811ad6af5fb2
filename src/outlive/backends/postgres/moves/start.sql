-- Begin attempts.
-- moves: start pending -> running
-- row: id text, fence int4, owner text, at moment, limited bool
start as (
    update outlive_record as record set
        status = 'running', fence = record.fence + 1, attempts = record.attempts + 1, started_at = to_timestamp(move.at),
        error = null, stacktrace = null, reason = null, progress = null
    from {rows}
    where record.id = move.id and case
        when record.status = 'pending' and record.fence = move.fence and record.owner = move.owner then
            not move.limited or exists (
                select from outlive_permit as permit where permit.task_id = move.id and permit.fence = move.fence
            )
    end
    returning move.place
)
