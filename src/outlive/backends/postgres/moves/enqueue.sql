-- Accept runs; an id that exists, a key or run key that another record holds, or a slot that was not taken, takes no effect. By
-- their keys, so that two processes which accept the same ones cannot wait for each other.
-- moves: enqueue nothing -> pending
-- moves: reject nothing -> rejected
-- moves: start pending -> running
-- tally: 1
-- row: id text, func text, func_name text, created_at moment, run_at moment, owner text, started_at moment, source text, timing text, queue text, priority int4, executor text, label text, tags text, idempotency_key text, arguments text, summary text, options text, recoverable bool, requeue_on_interrupt bool, schedule text, rejected text, run_key text
accepted as (
    insert into outlive_record (
        id, func, func_name, status, created_at, run_at, started_at, fence, attempts, owner, source, timing, queue,
        priority, executor, label, tags, idempotency_key, arguments, summary, options, recoverable,
        requeue_on_interrupt, schedule, run_key, ended_at, reason
    )
    select
        id, func, func_name,
        case when rejected is not null then 'rejected' when started_at is null then 'pending' else 'running' end,
        to_timestamp(created_at), to_timestamp(run_at), to_timestamp(started_at),
        (started_at is not null)::integer, (started_at is not null)::integer, owner, source, timing, queue,
        priority, executor, label, tags, idempotency_key, arguments, summary, options, recoverable,
        requeue_on_interrupt, schedule, run_key,
        case when rejected is not null then to_timestamp(created_at) end, rejected
    from {rows}
    where schedule is null or exists (
        select from outlive_schedule where name = move.schedule and last_id = move.id
    )
    order by idempotency_key, place
    on conflict do nothing
    returning id, final
),
enqueue as (
    select move.place, accepted.final from {places} join accepted on accepted.id = move.id
)
