-- Delete ended records; their logs and attempts go with them.
delete from outlive_record where rowid in (
    select rowid from outlive_record
    where status in (select value from json_each(:statuses)) and ended_at < :before
        and (:functions is null or func in (select value from json_each(:functions)))
        and func not in (select value from json_each(:without))
    limit :limit
);
