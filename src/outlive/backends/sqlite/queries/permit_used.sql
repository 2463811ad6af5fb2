-- Until when a rate is used up.
select used_until from outlive_rate where key = :key;
