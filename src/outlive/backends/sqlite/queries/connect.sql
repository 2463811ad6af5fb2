-- Settings of every connection. A WAL that a long reader let grow is cut back to 64 MiB. What is copied from it to the
-- database is copied when there are 16 MiB, since the pages of live records are written again and again until then.
pragma foreign_keys = on;
pragma temp_store = memory;
pragma cache_size = -16000;
pragma wal_autocheckpoint = 4000;
pragma journal_size_limit = 67108864;
