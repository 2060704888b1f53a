"""The simulator keeps the driver contract, in both layouts, with faults and without a state folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dsmilctl.drivers.sim import SimDriver
from dsmilctl.testing.conformance import DriverConformance


class TestDenseSimulator(DriverConformance):
    driver_class = SimDriver
    most_devices = 20


class TestNibbleSimulator(DriverConformance):
    driver_class = SimDriver
    options: ClassVar[Mapping[str, Any]] = {"layout": "nibble", "devices": 200, "seed": 7}
    most_devices = 100


class TestSimulatorInMemory(DriverConformance):
    driver_class = SimDriver
    options: ClassVar[Mapping[str, Any]] = {"persist": False}


class TestSlowSimulator(DriverConformance):
    driver_class = SimDriver
    options: ClassVar[Mapping[str, Any]] = {"faults": ["slow:*/2:0.001"]}
