-- Delete old notes of what people did. Their ids are in the order of their times, so the first ones are the oldest.
delete from outlive_audit where at < :before and id in (select id from outlive_audit order by id limit :limit);
