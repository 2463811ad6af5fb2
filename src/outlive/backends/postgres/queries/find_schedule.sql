-- A page of what a schedule has run.
select {record}
from outlive_record as record
where record.schedule = :schedule and record.id < :before
    and (:statuses::text[] is null or record.status = any(:statuses::text[]))
    and (:func::text is null or :func in (record.func, record.func_name))
    and (:queue::text is null or record.queue = :queue) and (:source::text is null or record.source = :source)
order by record.id desc limit :limit;
