"""The rules, without I/O: records, states, decisions, arithmetic and encoding."""
