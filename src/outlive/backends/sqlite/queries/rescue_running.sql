-- Let anybody repeat what died with its instance, where it was declared safe; the attempt does not count, and it keeps
-- its place in the queue.
-- moves: interrupt running -> pending
update outlive_record set
    status = 'pending', started_at = null, attempts = attempts - 1, owner = null, reason = :reason
where owner = :instance and ended_at is null and status = 'running' and requeue_on_interrupt;
