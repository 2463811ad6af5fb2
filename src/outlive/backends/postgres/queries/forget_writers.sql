-- Forget what a writer wrote, and those that were not heard of for a day.
delete from outlive_writer where id = any(:writers::text[]) or at < now() - interval '1 day';
