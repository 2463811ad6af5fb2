-- Which schema this database has, and the oldest one whose release can still work on it.
create table if not exists outlive_schema (version integer not null primary key, compatible_from integer not null);
