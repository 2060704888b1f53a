"""dsmilctl sees, steers, records and stops a fleet of register-mapped devices."""

__version__ = "0.1.0"
