"""Push: what the server tells without being asked, over WebSocket and Server-Sent Events."""
