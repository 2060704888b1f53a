"""The client of a DSMIL server: the SDK and the client interface over HTTP and WebSocket."""
