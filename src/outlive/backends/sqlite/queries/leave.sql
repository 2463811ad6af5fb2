-- Forget an instance.
delete from outlive_instance where id = :id;
