-- Append lines to the logs of records.
-- row: id, attempt, at, level, message
insert into outlive_log (task_id, attempt, at, level, message)
select record.id, move.attempt, move.at, move.level, move.message
from {rows} as move
join outlive_record as record on record.id = move.id;
