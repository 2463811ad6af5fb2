-- Take a lease or a place in the queue.
select
    holder, fence, extract(epoch from taken_at)::float8, extract(epoch from expires_at)::float8, called
from outlive_lease_take(:key, :holder, :seconds, :wait, :handover, to_timestamp(:now::float8));
