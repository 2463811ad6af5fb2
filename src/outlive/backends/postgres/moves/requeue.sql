-- Let ended records run again, unless another record has taken their key meanwhile, and keep their last attempt. Of
-- several that want one key, the first gets it.
-- moves: requeue failed -> pending
-- moves: requeue interrupted -> pending
-- moves: requeue cancelled -> pending
-- moves: requeue rejected -> pending
-- moves: requeue success -> pending
-- tally: -1
-- row: id text, at moment
wanted as (
    select
        move.place, move.id, move.at, ended.final,
        ended.idempotency_key is null or row_number() over (
            partition by ended.idempotency_key order by move.place
        ) = 1 as is_first
    from {rows}
    join outlive_record as ended on ended.id = move.id
    where ended.final is not null and ended.recoverable and not exists (
        select from outlive_record as holder
        where holder.idempotency_key = ended.idempotency_key and holder.id <> ended.id
            and holder.idempotency_key is not null and (holder.final is null or holder.final = 'success')
    )
),
requeue as (
    update outlive_record as record set
        status = 'pending', started_at = null, ended_at = null, run_at = to_timestamp(wanted.at), attempts = 0,
        owner = null, error = null, stacktrace = null, reason = null, cancel_requested = false, run_key = null,
        progress = null, result = null
    from wanted
    where record.id = wanted.id and case when wanted.is_first and record.final is not null then true end
    returning wanted.place, record.id, wanted.final
),
requeue_attempt as (
    -- `old` is the record as it was before this statement.
    insert into outlive_attempt (task_id, number, started_at, ended_at, outcome, error, stacktrace, owner)
    select old.id, old.fence, old.started_at, old.ended_at, old.status, old.error, old.stacktrace, old.owner
    from requeue join outlive_record as old on old.id = requeue.id
    where old.started_at is not null
    on conflict do nothing
)
