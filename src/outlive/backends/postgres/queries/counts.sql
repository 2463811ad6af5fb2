-- How many records have each status.
select final as status, count(*) from outlive_record where final is not null group by final
union all
select status, count(*) from outlive_record where final is null group by status;
