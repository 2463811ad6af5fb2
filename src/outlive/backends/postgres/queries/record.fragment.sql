-- A record as `rows.py` reads it.
record.id, record.func, record.func_name, record.status, record.created_at, record.run_at, record.started_at,
record.ended_at, record.attempts, record.fence, record.owner, record.error, record.stacktrace, record.reason,
record.tags, record.source, record.timing, record.priority, record.executor, record.queue, record.label,
record.schedule, record.run_key, record.idempotency_key, record.arguments, record.summary, record.options, record.recoverable,
record.requeue_on_interrupt, record.cancel_requested, record.progress
