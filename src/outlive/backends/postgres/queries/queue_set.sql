-- Set a queue.
insert into outlive_queue (name, is_set, concurrency, max_size, global_concurrency, paused)
values (:name, :is_set, :concurrency, :max_size, :everywhere, :paused)
on conflict (name) do update set
    is_set = excluded.is_set, concurrency = excluded.concurrency, max_size = excluded.max_size,
    global_concurrency = excluded.global_concurrency, paused = excluded.paused;
