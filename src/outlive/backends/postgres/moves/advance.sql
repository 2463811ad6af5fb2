-- Say how far attempts have come that still run.
-- row: id text, fence int4, progress text
advance as (
    update outlive_record as record set progress = move.progress
    from {rows}
    where record.id = move.id and case when record.status = 'running' and record.fence = move.fence then true end
    returning move.place
)
