"""Stories of the client of a DSMIL server."""
