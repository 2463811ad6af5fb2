-- Ask an instance to take no new work, or to take it again.
update outlive_instance set draining = :draining where id = :instance and draining <> :draining returning true;
