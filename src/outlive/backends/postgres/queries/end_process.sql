-- End the server's process that may still be at work for a connection that was lost; a row while it is there.
select pg_terminate_backend(pid) from pg_stat_activity
where pid = :process and pid <> pg_backend_pid() and usename = current_user
    and application_name = current_setting('application_name');
