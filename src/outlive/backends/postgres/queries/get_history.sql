-- The attempts that a record has left behind.
select number, started_at, ended_at, outcome, error, stacktrace, owner
from outlive_attempt where task_id = :id order by number;
