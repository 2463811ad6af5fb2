-- How many free records wait for a function that is not known here, and whether any does not say so yet.
select count(*), count(case when reason is not :reason then 1 end)
from outlive_record
where status = 'pending' and owner is null and func not in (select value from json_each(:functions));
