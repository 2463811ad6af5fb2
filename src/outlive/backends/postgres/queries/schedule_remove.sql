-- Forget a schedule and its gaps.
with gaps as (
    delete from outlive_schedule_gap where schedule = :name
)
delete from outlive_schedule where name = :name returning true;
