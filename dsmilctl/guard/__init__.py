"""The guard: nothing changes a device without passing here, and the journal remembers it."""
