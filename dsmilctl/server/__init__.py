"""The server: the DSMIL API, version 2, over a local client.  Simulator and gateway are this server."""
