-- Take a place until the attempt has ended.
insert into outlive_place (key, task_id, fence) values (:key, :id, :fence + 1)
on conflict (key, task_id) do update set fence = excluded.fence;
