"""The server: the DSMIL API, version 2, over any local client.  The simulator and the gateway are this server."""
