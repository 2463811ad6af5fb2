-- Whether this file has a schema already.
select count(*) from sqlite_master where type = 'table' and name = 'outlive_schema';
