-- Cancel records that have not started.
-- moves: cancel pending -> cancelled
-- row: id, at, reason
update outlive_record set status = 'cancelled', ended_at = move.at, reason = move.reason
from {rows} as move
where outlive_record.id = move.id and status = 'pending';
