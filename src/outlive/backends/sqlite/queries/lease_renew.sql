-- Let a lease end at another time.
update outlive_lease set expires_at = :now + :seconds where key = :key and holder = :holder and expires_at > :now;
