-- A schedule as one JSON array, see schedules.py; moments as in `record.fragment.sql`.
json_array(
    schedule.name, schedule.func, schedule.rule,
    cast(schedule.next_at as integer), schedule.next_at - cast(schedule.next_at as integer), schedule.paused,
    cast(schedule.last_at as integer), schedule.last_at - cast(schedule.last_at as integer), schedule.last_id,
    schedule.missed, cast(schedule.missed_at as integer), schedule.missed_at - cast(schedule.missed_at as integer),
    schedule.missed_reason, schedule.policy, schedule.declared
)
