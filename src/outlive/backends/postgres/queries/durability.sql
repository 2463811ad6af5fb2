-- Settings of the server, the database or the role that decide what survives.
select current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous_commit;
