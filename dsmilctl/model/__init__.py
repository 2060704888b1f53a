"""The nouns of dsmilctl: frozen values without I/O."""
