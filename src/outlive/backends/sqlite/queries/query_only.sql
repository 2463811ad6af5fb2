-- Hold a connection to reading.
pragma query_only = on;
