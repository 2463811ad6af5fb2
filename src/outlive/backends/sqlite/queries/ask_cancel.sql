-- Ask the owners of running records to cancel them.
-- row: id
update outlive_record set cancel_requested = 1
from {rows} as move
where outlive_record.id = move.id and status = 'running';
