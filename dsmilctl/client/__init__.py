"""Clients: the one way in for every face, the same interface over drivers here and over a server."""
