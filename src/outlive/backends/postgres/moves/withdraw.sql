-- Cancel what holds a run key.
-- moves: cancel pending -> cancelled
-- tally: 1
-- row: id text, run_key text, at moment, reason text
withdraw as (
    update outlive_record as record set
        status = 'cancelled', ended_at = to_timestamp(move.at), reason = move.reason
    from {rows}
    where record.held_run_key = move.run_key
    returning move.place, record.final
)
