-- Take slots: each schedule goes on to its next time unless another has taken the slot. An exclusive one that meets a
-- run which has not ended takes it as missed.
-- row: id text, schedule text, slot float8, next_at float8, at float8, fired float8, exclusive bool, missed int4, reason text
fire as (
    update outlive_schedule set
        next_at = move.next_at,
        last_at = case when move.fires then move.fired else last_at end,
        last_id = case when move.fires then move.id else last_id end,
        missed = outlive_schedule.missed + move.lost,
        missed_at = case when move.lost > 0 then move.at else missed_at end,
        missed_reason = case
            when move.lost > move.missed then '{overlaps}' when move.lost > 0 then move.reason else missed_reason
        end
    from (
        select
            taken.*, fired is not null and not running as fires, missed + (fired is not null and running)::integer as lost
        from (
            select
                move.*,
                move.exclusive and exists (
                    select from outlive_record where outlive_record.schedule = move.schedule and outlive_record.final is null
                ) as running
            from {rows}
        ) as taken
    ) as move
    where outlive_schedule.name = move.schedule and outlive_schedule.next_at = move.slot and not paused
    returning move.place
)
