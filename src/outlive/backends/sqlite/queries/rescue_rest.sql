-- End what a dead instance leaves and nobody may repeat or can rebuild.
-- moves: interrupt running -> interrupted
-- moves: interrupt pending -> interrupted
update outlive_record set status = 'interrupted', ended_at = :now, reason = :reason
where owner = :instance and ended_at is null
    and not case status when 'running' then requeue_on_interrupt else recoverable end;
