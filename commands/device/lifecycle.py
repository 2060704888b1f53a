"""Lifecycle: `device scan`, `initialize`, `connect`, `disconnect`, `state` and `cleanup`."""

from __future__ import annotations

import msgspec

from dsmilctl.client.interface import Client
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.rows import STATE_COLUMNS, state_row
from dsmilctl.commands.runner import Result, run
from dsmilctl.commands.targets import OptionalTargets, Targets, selector_of
from dsmilctl.diagnostics import PARTIAL
from dsmilctl.errors import Unreachable

app = Noun("device")


class LifecycleOptions(msgspec.Struct, frozen=True):
    """Which step of the lifecycle is asked for, and of which devices."""

    verb: str
    selector: str


def _lifecycle(verb: str, targets: str) -> None:
    options = LifecycleOptions(verb, targets)
    run(walk, options, schema=f"device.{verb}/1", columns=STATE_COLUMNS, empty="no devices")


async def walk(client: Client, options: LifecycleOptions) -> Result:
    """A lifecycle verb on every device of the selection; status 6 when some failed, 3 when all did."""
    devices = await client.devices(selector_of(options.selector), quarantined=True)
    statuses = await client.lifecycle(options.verb, devices)
    failed = 0 if options.verb in ("scan", "state") else sum(bool(status.reason) for status in statuses)
    partial = PARTIAL if failed < len(statuses) else Unreachable.exit_status
    return Result([state_row(item) for item in statuses], partial if failed else 0)


@app.command(impact="read")
def scan(targets: OptionalTargets = "") -> None:
    """Ask the drivers which devices there are.

    Example: dsmilctl -C local device scan
    """
    _lifecycle("scan", targets)


@app.command(impact="read")
def initialize(targets: Targets) -> None:
    """Prepare devices for a connection.

    Example: dsmilctl -C sim device initialize 0x8000
    """
    _lifecycle("initialize", targets)


@app.command(impact="read")
def connect(targets: Targets) -> None:
    """Open the conversation with devices.

    Example: dsmilctl -C sim device connect 0x8000
    """
    _lifecycle("connect", targets)


@app.command(impact="read")
def disconnect(targets: Targets) -> None:
    """Close the conversation with devices.

    Example: dsmilctl -C sim device disconnect 0x8000
    """
    _lifecycle("disconnect", targets)


@app.command(impact="read")
def state(targets: OptionalTargets = "") -> None:
    """Show the lifecycle state of devices, why and since when.

    Example: dsmilctl -C sim device state state=error
    """
    _lifecycle("state", targets)


@app.command(impact="read")
def cleanup(targets: Targets) -> None:
    """Close devices and forget that they were initialised.

    Example: dsmilctl -C sim device cleanup 0x8000
    """
    _lifecycle("cleanup", targets)
