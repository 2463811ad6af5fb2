-- Accept runs; an id that exists, or a key that another record holds, takes no effect.
-- moves: enqueue nothing -> pending
-- moves: start pending -> running
-- row: id, func, func_name, created_at, run_at, owner, started_at, source, timing, queue, priority, executor, label, tags, idempotency_key, arguments, summary, options, recoverable, requeue_on_interrupt
insert into outlive_record (
    id, func, func_name, created_at, run_at, owner, started_at, source, timing, queue, priority, executor, label, tags,
    idempotency_key, arguments, summary, options, recoverable, requeue_on_interrupt, status, fence, attempts
)
select
    id, func, func_name, created_at, run_at, owner, started_at, source, timing, queue, priority, executor, label, tags,
    idempotency_key, arguments, summary, options, recoverable, requeue_on_interrupt,
    case when started_at is null then 'pending' else 'running' end, started_at is not null, started_at is not null
from {rows} as move
where id is not null
on conflict do nothing;
