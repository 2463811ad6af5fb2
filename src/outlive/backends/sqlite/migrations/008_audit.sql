-- What people did.
-- compatible from: 1

create table outlive_audit (
    id text not null primary key,
    at real not null,
    actor text not null,
    action text not null,
    target text,
    detail text not null
) without rowid;

-- What was done to one thing.
create index outlive_audit_target on outlive_audit (target, id) where target is not null;
