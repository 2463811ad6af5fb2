-- Pause a schedule or let it go on.
update outlive_schedule set paused = :paused, next_at = :next_at
where name = :name and paused <> :paused
returning true;
