-- compatible from: 1
-- A lease in one tree instead of four: each that a lease is in costs a page of the log when it is taken and when it is
-- given back. There are as many leases as are held now, so that what looks for holders and for ends may read them all.
create table outlive_lease_small (
    key text not null primary key,
    holder text not null,
    fence integer not null,
    taken_at real not null,
    expires_at real not null
) without rowid;

insert into outlive_lease_small (key, holder, fence, taken_at, expires_at)
select key, holder, fence, taken_at, expires_at from outlive_lease;

drop table outlive_lease;

alter table outlive_lease_small rename to outlive_lease;
