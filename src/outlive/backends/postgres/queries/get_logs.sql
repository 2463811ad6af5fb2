-- The log of a record.
select attempt, at, level, message from outlive_log where task_id = :id order by seq;
