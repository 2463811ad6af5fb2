-- One at a time for each of these keys, until the transaction ends; in one order, so that nobody waits in a circle.
select pg_advisory_xact_lock(hashtextextended(key, 7316950023))
from (select distinct key from unnest(:keys::text[]) as wanted (key) order by key) as wanted;
