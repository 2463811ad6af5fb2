-- Let what code says hold again.
delete from outlive_queue where name = :name;
