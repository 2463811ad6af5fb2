-- Say why free records of unknown functions wait, and count them.
with said as (
    update outlive_record set reason = :reason, status = status
    where final is null and owner is null and status = 'pending' and not func = any(:functions::text[])
        and reason is distinct from :reason
)
select count(*) from outlive_record
where final is null and owner is null and status = 'pending' and not func = any(:functions::text[]);
