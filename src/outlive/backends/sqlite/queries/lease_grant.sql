-- Give a free lease to somebody, with the newest token.
insert into outlive_lease (key, holder, fence, taken_at, expires_at)
select :key, :holder, last, :now, :now + :seconds from outlive_lease_fence where id = 1;
