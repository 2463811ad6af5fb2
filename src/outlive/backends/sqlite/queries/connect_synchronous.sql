-- Whether a commit waits until the log is on the disk (FULL) or leaves that to the system (NORMAL).
pragma synchronous = {setting};
