-- Accept a run inside a transaction of the caller's; an id that exists, or a key that another record holds, takes no effect.
-- moves: enqueue nothing -> pending
insert into {tables}outlive_record (
    id, func, func_name, status, created_at, run_at, source, timing, queue, priority, executor, label, tags,
    idempotency_key, arguments, summary, options, recoverable, requeue_on_interrupt
)
select
    id, func, func_name, 'pending', clock_timestamp(), clock_timestamp() + make_interval(secs => wait),
    source, timing, queue, priority, executor, label, tags, idempotency_key, arguments, summary, options,
    recoverable, requeue_on_interrupt
from json_to_record(cast(? as json)) as move (
    id text, func text, func_name text, wait double precision, source text, timing text, queue text, priority integer,
    executor text, label text, tags text, idempotency_key text, arguments text, summary text, options text,
    recoverable boolean, requeue_on_interrupt boolean
)
on conflict do nothing
