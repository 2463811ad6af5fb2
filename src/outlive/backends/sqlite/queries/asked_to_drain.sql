-- Whether somebody asked an instance to take no new work.
select draining from outlive_instance where id = :id;
