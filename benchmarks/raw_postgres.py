"""PostgreSQL by the driver alone: a bare table with our columns, and the statements of a queue on it."""

BARE = """
create table bare (
    id text primary key, func text, func_name text, status text default 'pending', created_at timestamptz,
    run_at timestamptz, started_at timestamptz, ended_at timestamptz, attempts int default 0, fence int default 0,
    owner text, error text, stacktrace text, reason text, recoverable boolean default true, priority int,
    queue text default 'default', source text default 'manual', timing text default 'enqueue',
    executor text default 'async', label text, idempotency_key text, tags text, arguments text, summary text,
    options text
)
"""
INSERT = """
insert into bare (id, func, func_name, created_at, run_at, arguments)
select id, 'app:noop', 'noop', now(), now(), arguments from unnest($1::text[], $2::text[]) as new (id, arguments)
"""
CLAIM = """
update bare set owner = 'me' where id in (
    select id from bare where owner is null order by run_at, id limit $1 for update skip locked
) returning id
"""
START = "update bare set status = 'running', started_at = now(), fence = fence + 1 where id = any($1::text[])"
SETTLE = "update bare set status = 'success', ended_at = now() where id = any($1::text[])"
