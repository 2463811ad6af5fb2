-- A page of the list of some statuses: the newest of each, merged.
select json_group_array({record})
from (
    select chosen.* from json_each(:statuses) as wanted
    join outlive_record as chosen on chosen.rowid in (
        select live.rowid from outlive_record as live
        where live.status = wanted.value and live.ended_at is null and live.id < :before
            and (:func is null or :func in (live.func, live.func_name))
            and (:queue is null or live.queue = :queue) and (:source is null or live.source = :source)
        order by live.id desc limit :limit
    ) or chosen.rowid in (
        select final.rowid from outlive_record as final
        where final.status = wanted.value and final.ended_at is not null and final.id < :before
            and (:func is null or :func in (final.func, final.func_name))
            and (:queue is null or final.queue = :queue) and (:source is null or final.source = :source)
        order by final.id desc limit :limit
    )
    order by chosen.id desc limit :limit
) as record;
