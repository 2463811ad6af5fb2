-- Let anybody run what a dead instance had not started.
update outlive_record set owner = null, reason = :reason
where owner = :instance and ended_at is null and status = 'pending' and recoverable;
