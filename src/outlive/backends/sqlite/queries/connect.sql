-- Settings of every connection. A WAL that a long reader let grow is cut back to 64 MiB.
pragma foreign_keys = on;
pragma synchronous = {synchronous};
pragma temp_store = memory;
pragma cache_size = -16000;
pragma journal_size_limit = 67108864;
