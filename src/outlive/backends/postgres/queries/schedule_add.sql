-- Add a schedule that nobody declares, where its name is free.
insert into outlive_schedule (name, func, rule, next_at, policy, paused)
values (:name, :func, :rule, :next_at, :policy, :paused)
on conflict (name) do nothing
returning true;
