-- Leases, who waits for them, and who was forced out of one.
-- compatible from: 1

create table outlive_lease (
    key text not null primary key,
    holder text not null unique,
    fence integer not null,
    taken_at real not null,
    expires_at real not null
);

create index outlive_lease_expiry on outlive_lease (expires_at);

-- In the order of their coming.
create table outlive_lease_waiter (
    seq integer primary key,
    key text not null,
    holder text not null unique,
    until real not null
);

create index outlive_lease_waiter_turn on outlive_lease_waiter (key, seq);
create index outlive_lease_waiter_until on outlive_lease_waiter (until);

create table outlive_lease_loss (
    holder text not null primary key,
    reason text not null,
    at real not null
);

-- One count for all keys, so that a lease may be deleted and its tokens still only grow.
create table outlive_lease_fence (
    id integer not null primary key check (id = 1),
    last integer not null
);

insert into outlive_lease_fence (id, last) values (1, 0);
