-- Let anybody repeat attempts that their owner could not end, and keep them; they do not count.
-- moves: interrupt running -> pending
-- row: id text, fence int4, at moment, error text, stacktrace text, reason text, run_at moment
give_up as (
    update outlive_record as record set
        status = 'pending', started_at = null, run_at = to_timestamp(coalesce(move.run_at, move.at)),
        error = move.error, stacktrace = move.stacktrace, reason = move.reason,
        owner = null, attempts = record.attempts - 1
    from {rows}
    where record.id = move.id and case when record.status = 'running' and record.fence = move.fence then true end
    returning move.place, record.id, move.at, move.error, move.stacktrace
),
give_up_attempt as (
    -- `old` is the record as it was before this statement.
    insert into outlive_attempt (task_id, number, started_at, ended_at, outcome, error, stacktrace, owner)
    select
        old.id, old.fence, old.started_at, to_timestamp(give_up.at), 'interrupted', give_up.error, give_up.stacktrace,
        old.owner
    from give_up join outlive_record as old on old.id = give_up.id
    on conflict do nothing
)
