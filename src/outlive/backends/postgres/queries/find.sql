-- A page of the list, newest first.
select {record}
from outlive_record as record
where record.id < :before
    and (:queue::text is null or record.queue = :queue) and (:source::text is null or record.source = :source)
order by record.id desc limit :limit;
