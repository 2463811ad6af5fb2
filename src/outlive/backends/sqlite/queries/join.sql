-- Announce an instance, again if need be.
insert into outlive_instance (id, host, pid, started_at, beat_at)
values (:id, :host, :pid, :started_at, :started_at)
on conflict (id) do update set
    host = excluded.host, pid = excluded.pid, started_at = excluded.started_at, beat_at = excluded.beat_at;
