-- Forget instances.
delete from outlive_instance where id = any(:instances::text[]);
