-- Cancel records that have not started.
-- moves: cancel pending -> cancelled
-- tally: 1
-- row: id text, at moment, reason text
cancel as (
    update outlive_record as record set
        status = 'cancelled', ended_at = to_timestamp(move.at), reason = move.reason
    from {rows}
    where record.id = move.id and case when record.status = 'pending' then true end
    returning move.place, record.final
)
