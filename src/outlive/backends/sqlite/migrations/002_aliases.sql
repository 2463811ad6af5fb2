-- Ids that were given out for runs which another record already stood for, by its idempotency key.
-- compatible from: 1

create table outlive_alias (
    id text not null primary key,
    record_id text not null references outlive_record (id) on delete cascade
) without rowid;

-- What goes with a record.
create index outlive_alias_record on outlive_alias (record_id);
