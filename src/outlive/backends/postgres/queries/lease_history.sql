-- The newest events, of one key or of all.
select key, holder, fence, extract(epoch from at)::float8, event, reason from outlive_lease_event
where :key::text is null or key = :key
order by seq desc limit :limit;
