-- Give pending records back to everybody.
-- row: id text, owner text, reason text
release as (
    update outlive_record as record set owner = null, reason = move.reason, status = record.status
    from {rows}
    where record.id = move.id and case when record.status = 'pending' and record.owner = move.owner then true end
    returning move.place
)
