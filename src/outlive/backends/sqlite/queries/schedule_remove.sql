-- Forget a schedule and its gaps.
delete from outlive_schedule where name = :name;
