-- One record with its result, by its id or by one that stands for it.
select {record}, record.result
from outlive_record as record
where record.id = coalesce(
    (select known.id from outlive_record as known where known.id = :id),
    (select alias.record_id from outlive_alias as alias where alias.id = :id)
);
