-- How many places are held.
select count(*) from outlive_place where key = :key;
