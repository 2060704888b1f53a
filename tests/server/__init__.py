"""The server: its contract, its bad days."""
