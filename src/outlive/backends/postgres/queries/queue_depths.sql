-- The live records of each queue, of at most so many that the answer does not take long. What lives is in two indexes.
select
    queue, count(*) filter (where status = 'pending'), count(*) filter (where status = 'running'),
    extract(epoch from min(created_at) filter (where status = 'pending'))::float8
from (
    (select queue, status, created_at from outlive_record where final is null and owner is not null limit 100000)
    union all
    (select queue, status, created_at from outlive_record where coalesce(final, owner) is null limit 100000)
) as live
group by queue;
