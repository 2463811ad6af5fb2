-- Let ended records run again, unless another record has taken their key meanwhile.
-- moves: requeue failed -> pending
-- moves: requeue interrupted -> pending
-- moves: requeue cancelled -> pending
-- moves: requeue rejected -> pending
-- moves: requeue success -> pending
-- row: id, at
update or ignore outlive_record set
    status = 'pending', started_at = null, ended_at = null, run_at = move.at, attempts = 0, owner = null,
    error = null, stacktrace = null, reason = null, cancel_requested = 0, run_key = null,
    progress = null, result = null
from {rows} as move
where outlive_record.id = move.id and ended_at is not null and recoverable
    and not exists (
        select 1 from outlive_record as holder
        where holder.idempotency_key = outlive_record.idempotency_key and holder.id <> outlive_record.id
            and holder.idempotency_key is not null and holder.status in ('pending', 'running', 'success')
    );
