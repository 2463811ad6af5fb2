-- Tell the other processes, apart from any transaction that writes: one which notifies holds up the commits of others.
select pg_notify(:channel, text) from unnest(:texts::text[]) as said (text);
