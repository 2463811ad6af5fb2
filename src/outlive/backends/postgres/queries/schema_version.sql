-- The schema of this database.
select version, compatible_from from outlive_schema order by version desc limit 1;
