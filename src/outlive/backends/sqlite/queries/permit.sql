-- The attempt may start.
insert into outlive_permit (task_id, fence) values (:id, :fence)
on conflict (task_id) do update set fence = excluded.fence;
