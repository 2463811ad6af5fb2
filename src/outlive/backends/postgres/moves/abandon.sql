-- Interrupt pending records that nobody can rebuild.
-- moves: interrupt pending -> interrupted
-- tally: 1
-- row: id text, owner text, at moment, reason text
abandon as (
    update outlive_record as record set
        status = 'interrupted', ended_at = to_timestamp(move.at), reason = move.reason
    from {rows}
    where record.id = move.id and case when record.status = 'pending' and record.owner = move.owner then true end
    returning move.place, record.final
)
