-- Take everything from a dead instance: what had not started, and what may be repeated, is anybody's; the rest ends.
-- moves: interrupt running -> pending
-- moves: interrupt running -> interrupted
-- moves: interrupt pending -> interrupted
with rescued as (
    update outlive_record as record set
        status = case when fate.goes_on then 'pending' else 'interrupted' end,
        ended_at = case when not fate.goes_on then to_timestamp(:now::float8) end,
        owner = case when not fate.goes_on then record.owner end,
        started_at = case when not fate.starts_anew then record.started_at end,
        attempts = record.attempts - fate.starts_anew::integer,
        reason = :reason
    from (
        select
            id, fence, status,
            case status when 'running' then requeue_on_interrupt else recoverable end as goes_on,
            status = 'running' and requeue_on_interrupt as starts_anew
        from outlive_record where owner = :instance and owner is not null and final is null
    ) as fate
    where record.id = fate.id and case
        when record.owner = :instance and record.fence = fate.fence and record.status = fate.status then true
    end
    returning record.id, fate.goes_on, fate.starts_anew
),
died as (
    -- `old` is the record as it was before this statement.
    insert into outlive_attempt (task_id, number, started_at, ended_at, outcome, error, stacktrace, owner)
    select old.id, old.fence, old.started_at, to_timestamp(:now::float8), 'interrupted', :reason, old.stacktrace, old.owner
    from rescued join outlive_record as old on old.id = rescued.id
    where rescued.starts_anew
    on conflict do nothing
),
gone as (
    delete from outlive_instance where id = :instance
),
tally as (
    insert into outlive_tally as tally (writer, final, count)
    select '', 'interrupted', count(*) from rescued where not goes_on having count(*) > 0
    on conflict (writer, final) do update set count = tally.count + excluded.count
)
select id, goes_on from rescued;
