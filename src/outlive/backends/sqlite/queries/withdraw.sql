-- Cancel what holds a run key.
-- moves: cancel pending -> cancelled
-- row: id, run_key, at, reason
update outlive_record set status = 'cancelled', ended_at = move.at, reason = move.reason
from {rows} as move
where outlive_record.run_key = move.run_key and outlive_record.run_key is not null
    and status = 'pending' and fence = 0;
