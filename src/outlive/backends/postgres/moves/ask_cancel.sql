-- Ask the owners of running records to cancel them.
-- row: id text, reason text
ask_cancel as (
    update outlive_record as record set cancel_requested = true, reason = move.reason, status = record.status
    from {rows}
    where record.id = move.id and case when record.status = 'running' then true end
    returning move.place
)
