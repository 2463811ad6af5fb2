-- Take slots: each schedule goes on to its next time unless another has taken the slot. Where a run has not ended, an
-- exclusive one takes it as missed and one that waits has no effect. What became no run is remembered for a while.
-- row: id text, schedule text, slot float8, next_at float8, at float8, fired float8, exclusive bool, waits bool, missed int4, reason text
fire as (
    update outlive_schedule set
        next_at = move.next_at,
        last_at = case when move.fires then move.fired else last_at end,
        last_id = case when move.fires then move.id else last_id end,
        missed = outlive_schedule.missed + move.lost,
        missed_at = case when move.lost > 0 then move.at else missed_at end,
        missed_reason = case when move.lost > 0 then move.why else missed_reason end
    from (
        select
            taken.*, fired is not null and not running as fires,
            missed + (fired is not null and running)::integer as lost,
            case when fired is not null and running then '{overlaps}' else reason end as why
        from (
            select
                move.*,
                (move.exclusive or move.waits) and exists (
                    select from outlive_record as record
                    where record.schedule = move.schedule and record.final is null
                ) as running
            from {rows}
        ) as taken
    ) as move
    where outlive_schedule.name = move.schedule and outlive_schedule.next_at = move.slot and not paused
        and not (move.waits and move.running)
    returning move.place, move.schedule, move.slot, move.lost, move.at, move.why
),
gap as (
    insert into outlive_schedule_gap (schedule, slot, count, at, reason)
    select schedule, slot, lost, at, why from fire where lost > 0 order by place
),
old_gap as (
    delete from outlive_schedule_gap as old using fire
    where old.schedule = fire.schedule and fire.lost > 0 and old.seq <= (
        select kept.seq from outlive_schedule_gap as kept
        where kept.schedule = fire.schedule order by kept.seq desc limit 1 offset {gaps} - 1
    )
)
