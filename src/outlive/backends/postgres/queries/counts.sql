-- How many records have each status: what has ended was counted when it did.
select final as status, sum(count)::int8 from outlive_tally group by final
union all
select status, count(*) from outlive_record where final is null group by status;
