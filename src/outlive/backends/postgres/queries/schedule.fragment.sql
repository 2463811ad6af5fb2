-- A schedule as `rows.py` reads it.
schedule.name, schedule.func, schedule.rule, schedule.next_at, schedule.paused,
schedule.last_at, schedule.last_id, schedule.missed,
schedule.missed_at, schedule.missed_reason, schedule.policy, schedule.declared
