"""What programs and plug-ins test with: a mock client, a simulator, a clock, a driver conformance suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsmilctl.testing.mock import MockDSMILClient as MockDSMILClient
    from dsmilctl.testing.simulator import DeviceSimulator as DeviceSimulator


def __getattr__(name: str) -> Any:
    """The mock client and the simulator, imported when they are first used."""
    if name == "MockDSMILClient":
        from dsmilctl.testing.mock import MockDSMILClient

        return MockDSMILClient
    if name == "DeviceSimulator":
        from dsmilctl.testing.simulator import DeviceSimulator

        return DeviceSimulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
