-- Lists by queue, of all queues but the one in which most tasks are: there a page is full before long without an index.
-- compatible from: 5

create index outlive_record_queue on outlive_record (queue, id) where queue <> 'default';
