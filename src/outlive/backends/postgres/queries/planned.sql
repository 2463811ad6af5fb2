-- Runs that can still be replaced by their key and may start before a moment, earliest first.
select {record}
from outlive_record as record
where record.held_run_key is not null and record.run_at < to_timestamp(:before::float8)
order by record.run_at, record.id
limit :limit;
