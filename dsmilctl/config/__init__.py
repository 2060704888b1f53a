"""Settings, contexts, secrets and the folders they lie in."""
