-- Keep the attempts that died with their instance and will be repeated; guarded like rescue_running.sql.
insert into outlive_attempt (task_id, number, started_at, ended_at, outcome, error, stacktrace, owner)
select id, fence, started_at, :now, 'interrupted', :reason, stacktrace, owner
from outlive_record
where owner = :instance and ended_at is null and status = 'running' and requeue_on_interrupt;
