"""Lifecycle: `device scan`, `initialize`, `connect`, `disconnect`, `state` and `cleanup`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dsmilctl.client.interface import Client
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.rows import STATE_COLUMNS, state_row
from dsmilctl.commands.runner import Result, run
from dsmilctl.commands.targets import OptionalTargets, Targets, selector_of
from dsmilctl.diagnostics import PARTIAL
from dsmilctl.errors import Unreachable, kind_of
from dsmilctl.model.device import DeviceStatus

app = Noun("device")


class LifecycleOptions(msgspec.Struct, frozen=True):
    """Which step of the lifecycle is asked for, and of which devices."""

    verb: str
    selector: str


def _lifecycle(verb: str, targets: str) -> None:
    options = LifecycleOptions(verb, targets)
    run(walk, options, schema=f"device.{verb}/1", columns=STATE_COLUMNS, empty="no devices")


async def walk(client: Client, options: LifecycleOptions) -> Result:
    """A lifecycle verb on every device of the selection; the rows, and the exit status that they make."""
    devices = await client.devices(selector_of(options.selector), quarantined=True)
    statuses = await client.lifecycle(options.verb, devices)
    ordered = options.verb not in ("scan", "state")
    return Result([state_row(item) for item in statuses], exit_status(statuses) if ordered else 0)


def exit_status(statuses: Sequence[DeviceStatus]) -> int:
    """0 when all went where they were ordered to, 6 when some did, and that of the first error else."""
    failed = [status for status in statuses if status.reason]
    if not failed:
        return 0
    if len(failed) < len(statuses):
        return PARTIAL
    return kind_of(failed[0].error_code or Unreachable.code).exit_status


@app.command(impact="read")
def scan(targets: OptionalTargets = "") -> None:
    """Ask the drivers which devices there are.

    Example: dsmilctl -C local device scan
    """
    _lifecycle("scan", targets)


@app.command(impact="read")
def initialize(targets: Targets) -> None:
    """Prepare devices for a connection.

    Nothing has to be prepared by hand: every command takes the steps that it needs.

    Example: dsmilctl -C sim device initialize 0x8000
    """
    _lifecycle("initialize", targets)


@app.command(impact="read")
def connect(targets: Targets) -> None:
    """Open the conversation with devices, to see whether they can be reached; it ends with the command.

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
