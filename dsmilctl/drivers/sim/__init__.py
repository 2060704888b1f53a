"""The simulator: the 84 DSMIL devices or thousands like them, the same for everyone, faulty on demand."""

from dsmilctl.drivers.sim.driver import SimDriver

__all__ = ["SimDriver"]
