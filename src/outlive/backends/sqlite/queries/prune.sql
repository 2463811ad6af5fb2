-- Delete ended records; their logs and attempts go with them.
delete from outlive_record where rowid in (
    select rowid from outlive_record
    where status in (select value from json_each(:statuses)) and ended_at < :before
    limit :limit
);
