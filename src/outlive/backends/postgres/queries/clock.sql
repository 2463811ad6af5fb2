-- What time it is on the server.
select extract(epoch from clock_timestamp())::float8;
