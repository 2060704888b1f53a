"""Archive: keeps what a fleet did, proves that it is unchanged, and answers questions about it."""
