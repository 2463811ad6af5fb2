-- Announce an instance, again if need be.
insert into outlive_instance (id, host, pid, started_at, lease, beat_at, version, slots)
values (:id, :host, :pid, to_timestamp(:started_at::float8), :lease, to_timestamp(:now::float8), :version, :slots)
on conflict (id) do update set
    host = excluded.host, pid = excluded.pid, started_at = excluded.started_at, lease = excluded.lease,
    beat_at = excluded.beat_at, version = excluded.version, slots = excluded.slots;
