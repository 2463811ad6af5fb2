-- The newest slots that became no run.
select slot, count, at, reason from outlive_schedule_gap where schedule = :name order by seq desc limit :limit;
