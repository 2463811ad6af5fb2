-- Give a lease that is free, or has run out, to somebody.
insert or replace into outlive_lease (key, holder, fence, taken_at, expires_at)
values (:key, :holder, :fence, :taken_at, :expires_at);
