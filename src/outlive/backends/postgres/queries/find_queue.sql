-- A page of what is in one queue, unless it is the default one; saying so is what lets the index be used. A range, as in
-- `find_status.sql`.
select {record}
from outlive_record as record
where record.queue <> 'default' and record.queue >= :queue and (record.queue, record.id) < (:queue, :before)
    and (:statuses::text[] is null or record.status = any(:statuses::text[]))
    and (:func::text is null or :func in (record.func, record.func_name))
    and (:source::text is null or record.source = :source)
order by record.queue desc, record.id desc limit :limit;
