"""Recording from a program: sessions, token tests and what the archive knows, without the command line."""
