-- Which records of an instance somebody has asked to cancel.
-- compatible from: 1

create index outlive_record_asked on outlive_record (owner)
    where cancel_requested and ended_at is null;
