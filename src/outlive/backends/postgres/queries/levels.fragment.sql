-- The priorities of what anybody may claim, highest first, from one to the next by the index: within one of them the
-- due records come first, and those that are not due need not be walked.
recursive level (priority) as (
    (
        select coalesce(priority, 0) from outlive_record where final is null and owner is null
        order by coalesce(priority, 0) desc limit 1
    )
    union all
    select (
        select coalesce(lower.priority, 0) from outlive_record as lower
        where lower.final is null and lower.owner is null and coalesce(lower.priority, 0) < level.priority
        order by coalesce(lower.priority, 0) desc limit 1
    )
    from level where level.priority is not null
)
