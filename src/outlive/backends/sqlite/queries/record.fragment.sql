-- A record as one JSON array, see rows.py. One value means one step of SQLite however long a list is, and a step may
-- have to wait for a busy event loop. A moment goes as whole seconds and the rest: JSON has 15 digits, it needs 17.
json_array(
    record.id, record.func, record.func_name, record.status,
    cast(record.created_at as integer), record.created_at - cast(record.created_at as integer),
    cast(record.run_at as integer), record.run_at - cast(record.run_at as integer),
    cast(record.started_at as integer), record.started_at - cast(record.started_at as integer),
    cast(record.ended_at as integer), record.ended_at - cast(record.ended_at as integer),
    record.attempts, record.fence, record.owner, record.error, record.stacktrace, record.reason, record.tags,
    record.source, record.timing, record.priority, record.executor, record.queue, record.label, record.schedule,
    record.run_key,
    record.idempotency_key, record.arguments, record.summary, record.options,
    record.recoverable, record.requeue_on_interrupt, record.cancel_requested,
    record.progress
)
