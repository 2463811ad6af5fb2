-- Whether the lease of an instance has run out; it can give no sign of life until the transaction has ended.
select to_timestamp(:now::float8) - beat_at > make_interval(secs => lease)
from outlive_instance where id = :instance for update;
