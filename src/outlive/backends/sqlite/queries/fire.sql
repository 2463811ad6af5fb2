-- Take slots: each schedule goes on to its next time unless another has taken the slot. Where a run has not ended,
-- an exclusive one takes it as missed and one that waits has no effect. The index is named, since that of all runs of
-- a schedule would do as well for the planner.
-- row: id, schedule, slot, next_at, at, fired, exclusive, waits, missed, reason, overlaps
update outlive_schedule set
    next_at = move.next_at,
    last_at = case when move.fires then move.fired else last_at end,
    last_id = case when move.fires then move.id else last_id end,
    missed = outlive_schedule.missed + move.lost,
    missed_at = case when move.lost > 0 then move.at else missed_at end,
    missed_reason = case
        when move.lost > move.missed then move.overlaps when move.lost > 0 then move.reason else missed_reason
    end
from (
    select taken.*, fired is not null and not running as fires, missed + (fired is not null and running) as lost
    from (
        select
            given.*,
            (exclusive or waits) and exists (
                select 1 from outlive_record indexed by outlive_record_schedule
                where outlive_record.schedule = given.schedule and outlive_record.ended_at is null
            ) as running
        from {rows} as given
    ) as taken
) as move
where outlive_schedule.name = move.schedule and outlive_schedule.next_at = move.slot and not paused
    and not (move.waits and move.running);
