-- What a claim has handed over that was never answered.
select {record}
from outlive_record as record
where record.id = any(:ids::text[]) and record.owner = :owner and record.status = 'pending'
order by coalesce(record.priority, 0) desc, record.run_at, record.id;
