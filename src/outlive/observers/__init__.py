"""Those who are told what the runtime does; one per file."""
