-- Forget the places of attempts that have ended. One that is permitted and starts in this transaction holds its own.
delete from outlive_place where key = :key and not exists (
    select 1 from outlive_record where id = outlive_place.task_id and (
        (status = 'running' and outlive_record.fence = outlive_place.fence)
        or (status = 'pending' and outlive_record.fence = outlive_place.fence - 1)
    )
);
