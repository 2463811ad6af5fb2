-- What was set at run time, by name.
select name, is_set, concurrency, max_size, global_concurrency, paused from outlive_queue order by name;
