-- What becomes of the records of a dead instance: those that go back, and those that end.
select
    (
        select json_group_array(id) from outlive_record
        where owner = :instance and ended_at is null
            and case status when 'running' then requeue_on_interrupt else recoverable end
    ),
    (
        select json_group_array(id) from outlive_record
        where owner = :instance and ended_at is null
            and not case status when 'running' then requeue_on_interrupt else recoverable end
    );
