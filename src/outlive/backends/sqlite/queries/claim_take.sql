-- Hand the picked records over.
update outlive_record set owner = :owner, reason = null
where rowid in (select value from json_each(:picked)) and status = 'pending' and owner is null;
