"""Stopping: an emergency stop as it is ordered from a shell, and what is said while it goes on.

It needs no parser: the plainest order to stop is carried out without loading one.
"""

from __future__ import annotations

import asyncio

import msgspec

from dsmilctl.client.interface import Client, ContextInfo
from dsmilctl.commands.id_ranges import id_ranges
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.rows import STOP_COLUMNS, confirmation_row, stop_row
from dsmilctl.commands.runner import run_live
from dsmilctl.commands.times import duration
from dsmilctl.diagnostics import say, warn
from dsmilctl.errors import (
    AuthenticationError,
    ConfigError,
    DSMILError,
    InvalidParameter,
    OperationTimeout,
    StopNotConfirmed,
    Unreachable,
)
from dsmilctl.inert import inert
from dsmilctl.model.device import show_id
from dsmilctl.model.emergency import Confirmation, Stop
from dsmilctl.model.selector import EVERYTHING, Selector
from dsmilctl.output import Output

LONGEST_LIST = 20
"""Devices that stopped and are told one by one; of others each is."""


class StopOptions(msgspec.Struct, frozen=True):
    """What is to be stopped, why, and how many seconds to try."""

    selector: Selector
    reason: str
    deadline: float


def order_stop(selector: Selector = EVERYTHING, reason: str = "", deadline: str = "") -> None:
    """Stop what the selector names, whatever is wrong with settings and options."""
    chosen = invocation(despite_errors=True)
    seconds = _seconds(deadline) or chosen.deadline or chosen.settings.stop_deadline
    try:
        run_live(stop_devices, StopOptions(selector, reason, seconds), despite_errors=True)
    except ConfigError as error:
        raise _which_context(error, chosen.context) from error


def _seconds(text: str) -> float | None:
    """How long to try; a text that is no duration must not hold a stop up."""
    try:
        return max(0.05, duration(text)) if text else None
    except InvalidParameter as error:
        warn(f"--deadline: {error.message}; the default is taken")
        return None


async def stop_devices(client: Client, options: StopOptions, output: Output) -> int:
    """The stop, a line per device as it confirms, and the whole of it."""
    lines = output.for_people and not output.fields
    report = _Report(told=lines)
    try:
        result = await client.stop_selected(
            options.selector, reason=options.reason, deadline=options.deadline, report=report.tell
        )
    except asyncio.CancelledError:
        await _tell_interrupted(client, report)
        raise
    except AuthenticationError as error:
        error.message = f"NOTHING WAS STOPPED: {error.message}"
        raise
    except DSMILError as error:
        if isinstance(error, Unreachable | OperationTimeout) and client.context.kind == "remote":
            raise _unconfirmed(error, client.context) from error
        error.hint = f"NOTHING WAS STOPPED; without a selector everything is.  {error.hint}".rstrip()
        raise
    if lines:
        _sum_up(result, output)
    else:
        _show(result, output)
    if not result.latched:
        warn(f"NOT LATCHED: nothing keeps anybody from changing the devices again: {result.latch_error}")
    return StopNotConfirmed.exit_status if result.unconfirmed or not result.latched else 0


def _unconfirmed(error: DSMILError, context: ContextInfo) -> StopNotConfirmed:
    """A stop of which nobody knows what it did: the server is not there, or does not say it in time."""
    hint = f"stop the devices by hand; what the server did: dsmilctl -C {context.name} emergency status"
    return StopNotConfirmed(f"NOTHING IS CONFIRMED: {error.message}", hint=hint, target=context.target)


def _which_context(error: ConfigError, name: str) -> ConfigError:
    """The error of a configuration that does not even tell what is to be stopped."""
    named = f"-C {name}" if name else "no -C"
    hint = "dsmilctl -C NAME emergency stop; -C local and -C sim need no configuration"
    message = f"NOTHING WAS STOPPED: {named}, and the configuration is wrong: {error.message}"
    return ConfigError(message, hint=hint, target=error.target)


class _Report:
    """One line per device on stderr; of many devices that stopped only the first ones, of others each."""

    def __init__(self, *, told: bool) -> None:
        self._told = told
        self._answered = 0
        self.confirmed = 0

    def tell(self, confirmation: Confirmation) -> None:
        self._answered += 1
        self.confirmed += confirmation.outcome.confirmed
        if not self._told or (confirmation.outcome.confirmed and self._answered > LONGEST_LIST):
            return
        row = confirmation_row(confirmation)
        error = f"  {inert(row['error'])}" if row["error"] else ""
        elapsed = f"{confirmation.elapsed_ms:.0f} ms"
        say(f"{inert(row['device_id']):<12}  {row['outcome']:<14}  {elapsed:>8}{error}")


async def _tell_interrupted(client: Client, report: _Report) -> None:
    """A stop that somebody interrupts has done what it has done, and stays latched."""
    name = client.context.name
    if await client.stops():
        told = f"the stop is latched, and {report.confirmed} devices confirmed it"
        warn(f"interrupted: {told}; dsmilctl -C {name} emergency stop drives the others")


def _show(stop: Stop, output: Output) -> None:
    """The stop as a document; what it cannot be shown with (a field that is not there) is said, no more."""
    row = stop_row(stop) | {"devices": [confirmation_row(item) for item in stop.confirmations]}
    try:
        output.show(row, schema="emergency.stop/1", columns=STOP_COLUMNS)
    except InvalidParameter as error:
        warn(error.message)
        Output(output.format, context=output.context).show(
            row, schema="emergency.stop/1", columns=STOP_COLUMNS
        )


def _sum_up(stop: Stop, output: Output) -> None:
    total, confirmed = len(stop.confirmations), len(stop.confirmed)
    if total > LONGEST_LIST:
        say(f"… {total} devices in all")
    slowest = max((item.elapsed_ms for item in stop.confirmations), default=0.0)
    times = f"in {slowest:.0f} ms, latched in {stop.latched_ms:.1f} ms"
    output.text(f"{stop.stop_id}: {confirmed} of {total} confirmed {times}")
    if stop.latch_error and stop.latched:
        warn(f"the latch: {stop.latch_error}")
    if stop.unconfirmed:
        left = id_ranges(map(show_id, stop.unconfirmed))
        warn(f"{len(stop.unconfirmed)} did not confirm, look after them by hand: {left}")
