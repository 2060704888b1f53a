"""Identity: who may come in, how they prove it, and how long it lasts."""
