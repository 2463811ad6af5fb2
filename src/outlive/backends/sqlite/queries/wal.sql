-- Readers go on while somebody writes.
pragma journal_mode = wal;
