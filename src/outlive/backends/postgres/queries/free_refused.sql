-- Let anybody run the records of slots whose acceptance was not answered: their slots are taken.
-- moves: interrupt running -> pending
update outlive_record set status = 'pending', started_at = null, owner = null, attempts = 0
where id = any(:ids::text[]) and schedule is not null and final is null;
