-- What was set at run time, by name.
select json_group_array(json_array(name, is_set, concurrency, max_size, global_concurrency, paused))
from (select * from outlive_queue order by name);
