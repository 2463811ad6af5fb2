-- Ask the owners of running records to cancel them.
-- row: id, reason
update outlive_record set cancel_requested = 1, reason = move.reason
from {rows} as move
where outlive_record.id = move.id and status = 'running';
