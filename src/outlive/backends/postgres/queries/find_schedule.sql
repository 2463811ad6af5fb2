-- A page of what a schedule has run; a range, as in `find_status.sql`.
select {record}
from outlive_record as record
where record.schedule >= :schedule and (record.schedule, record.id) < (:schedule, :before)
    and (:statuses::text[] is null or record.status = any(:statuses::text[]))
    and (:func::text is null or :func in (record.func, record.func_name))
    and (:queue::text is null or record.queue = :queue) and (:source::text is null or record.source = :source)
order by record.schedule desc, record.id desc limit :limit;
