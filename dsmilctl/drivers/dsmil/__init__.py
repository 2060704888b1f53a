"""The dsmil driver: devices behind another DSMIL server, inside a local fleet."""

from dsmilctl.drivers.dsmil.driver import DsmilDriver
from dsmilctl.drivers.dsmil.options import DsmilOptions

__all__ = ["DsmilDriver", "DsmilOptions"]
