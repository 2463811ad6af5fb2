-- Say why free records of unknown functions wait.
update outlive_record set reason = :reason
where status = 'pending' and owner is null and func not in (select value from json_each(:functions))
    and reason is not :reason;
