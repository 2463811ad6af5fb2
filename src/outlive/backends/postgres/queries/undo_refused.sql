-- Take back the acceptance of runs whose callers were told that they were not accepted.
delete from outlive_record
where id = any(:ids::text[]) and schedule is null and final is null;
