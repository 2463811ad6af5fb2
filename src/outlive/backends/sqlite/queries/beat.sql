-- Renew the lease of an instance.
update outlive_instance set beat_at = :now where id = :id;
