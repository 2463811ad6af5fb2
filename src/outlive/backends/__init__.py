"""Where records live; each backend is the only code that knows its database."""
