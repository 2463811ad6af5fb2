-- The live records of each queue, of at most so many that the answer does not take long.
select json_group_array(json_array(queue, pending, running, oldest))
from (
    select
        queue, sum(status = 'pending') as pending, sum(status = 'running') as running,
        min(case when status = 'pending' then created_at end) as oldest
    from (select queue, status, created_at from outlive_record where ended_at is null limit 100000)
    group by queue
);
