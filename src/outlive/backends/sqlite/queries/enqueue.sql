-- Accept runs; an id that exists, a key or run key that another record holds, or a slot that was not taken, takes no effect.
-- moves: enqueue nothing -> pending
-- moves: reject nothing -> rejected
-- moves: start pending -> running
-- row: id, func, func_name, created_at, run_at, owner, started_at, source, timing, queue, priority, executor, label, tags, idempotency_key, arguments, summary, options, recoverable, requeue_on_interrupt, schedule, rejected, run_key
insert into outlive_record (
    id, func, func_name, created_at, run_at, owner, started_at, source, timing, queue, priority, executor, label, tags,
    idempotency_key, arguments, summary, options, recoverable, requeue_on_interrupt, schedule, run_key, status,
    fence, attempts, ended_at, reason
)
select
    id, func, func_name, created_at, run_at, owner, started_at, source, timing, queue, priority, executor, label, tags,
    idempotency_key, arguments, summary, options, recoverable, requeue_on_interrupt, schedule, run_key,
    case when rejected is not null then 'rejected' when started_at is null then 'pending' else 'running' end,
    started_at is not null, started_at is not null, case when rejected is not null then created_at end, rejected
from {rows} as move
where id is not null
    and (schedule is null or exists (
        select 1 from outlive_schedule where name = move.schedule and last_id = move.id
    ))
on conflict do nothing;
