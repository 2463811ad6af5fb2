-- Interrupt pending records that nobody can rebuild.
-- moves: interrupt pending -> interrupted
-- row: id, owner, at, reason
update outlive_record set status = 'interrupted', ended_at = move.at, reason = move.reason
from {rows} as move
where outlive_record.id = move.id and status = 'pending' and outlive_record.owner = move.owner;
