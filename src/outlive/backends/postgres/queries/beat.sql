-- Renew the lease of an instance.
update outlive_instance set beat_at = to_timestamp(:now::float8) where id = :instance returning true;
