-- Let schedules fire at once that have not done so for a while; those that ask for it say what a while is.
update outlive_schedule set next_at = :now
from (
    select json_extract(value, '$[0]') as name, json_extract(value, '$[5]') as startup_window
    from json_each(:entries)
) as entry
where outlive_schedule.name = entry.name and entry.startup_window is not null and not paused
    and (last_at is null or :now - last_at >= entry.startup_window);
