-- What an instance is and can run, and whether it was asked to take no new work.
-- compatible from: 5

alter table outlive_instance add column version text not null default '';
alter table outlive_instance add column slots text not null default '{}';
alter table outlive_instance add column draining boolean not null default false;
