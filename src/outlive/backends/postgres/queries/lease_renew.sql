-- Let a lease end at another time.
update outlive_lease set expires_at = to_timestamp(:now::float8) + make_interval(secs => :seconds)
where key = :key and holder = :holder and expires_at > to_timestamp(:now::float8)
returning true;
