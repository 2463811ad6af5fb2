-- Say how far attempts have come that still run.
-- row: id, fence, progress
update outlive_record set progress = move.progress
from {rows} as move
where outlive_record.id = move.id and status = 'running' and outlive_record.fence = move.fence;
