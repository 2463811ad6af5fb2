-- The writer waits for locks in its own way.
pragma busy_timeout = 0;
