-- What happened to leases; it takes the place of the table of those who were forced out.
-- compatible from: 7

create table outlive_lease_event (
    seq integer primary key,
    key text not null,
    holder text not null,
    fence integer not null,
    at real not null,
    event text not null,
    reason text
);

drop table outlive_lease_loss;
