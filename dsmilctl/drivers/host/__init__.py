"""Host driver: this machine's own sensors, counters and messages as devices, read from the kernel's files."""

from dsmilctl.drivers.host.driver import HostDriver
from dsmilctl.drivers.host.options import HostOptions

__all__ = ["HostDriver", "HostOptions"]
