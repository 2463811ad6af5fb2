-- Let schedules fire at once that have not done so for a while; those that ask for it say what a while is.
update outlive_schedule as schedule set next_at = :now
from unnest(:names::text[], :windows::float8[]) as entry (name, startup_window)
where schedule.name = entry.name and entry.startup_window is not null and not schedule.paused and (
    schedule.last_at is null
    or :now - schedule.last_at >= entry.startup_window
);
