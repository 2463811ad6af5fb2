-- How far a run has come, and what it returned.
-- compatible from: 1

alter table outlive_record add column progress text;
alter table outlive_record add column result text;
