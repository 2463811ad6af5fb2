-- How many records have each status: what has ended was counted when it did. What lives is in two indexes.
select final as status, sum(count)::int8 from outlive_tally group by final having sum(count) > 0
union all
select 'pending', count(*) from outlive_record where coalesce(final, owner) is null having count(*) > 0
union all
select status, count(*) from outlive_record where final is null and owner is not null group by status;
