"""`dsmilctl emergency`: stop everything, see what is stopped, release it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer

from dsmilctl.client.interface import Client, ContextInfo
from dsmilctl.commands.id_ranges import id_ranges
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.questions import confirm_by_name, require_person
from dsmilctl.commands.rows import STOP_COLUMNS, confirmation_row, stop_row
from dsmilctl.commands.runner import Result, run, run_live
from dsmilctl.commands.targets import Approval, OptionalTargets, selector_of
from dsmilctl.commands.times import duration
from dsmilctl.diagnostics import say, warn
from dsmilctl.errors import (
    AuthenticationError,
    ConfigError,
    ConfirmationRequired,
    DSMILError,
    InvalidParameter,
    NotFound,
    OperationTimeout,
    Refused,
    StopNotConfirmed,
    Unreachable,
)
from dsmilctl.inert import inert
from dsmilctl.model.device import show_id
from dsmilctl.model.emergency import Confirmation, Stop
from dsmilctl.output import Output

app = Noun("emergency")
LONGEST_LIST = 20


class StopOptions(msgspec.Struct, frozen=True):
    """What is to be stopped, why, and how many seconds to try."""

    selector: str
    reason: str
    deadline: float


@app.command(impact="danger", never_refused=True)
def stop(
    targets: OptionalTargets = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="why")] = "",
    deadline: Annotated[str, typer.Option(metavar="DURATION", help="how long to try: 2s, 500ms")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", hidden=True, help="nothing is asked anyway")] = False,
) -> None:
    """Stop everything, or the devices named.  Never asks.

    The stop is latched on disk first; then every device is driven to its safe state at once, again and again
    until it confirms or the deadline is over.  Exit status 8 when not all confirmed, and when the stop could
    be latched nowhere: it is over with this command then, whatever the devices said.

    Example: dsmilctl -C sim emergency stop --reason 'smoke in the hall'
    Example: dsmilctl -C sim emergency stop 0x8030-0x803B
    """
    del yes  # a stop never asks
    chosen = invocation(despite_errors=True)
    seconds = _seconds(deadline) or chosen.deadline or chosen.settings.stop_deadline
    try:
        run_live(stop_devices, StopOptions(targets, reason, seconds), despite_errors=True)
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
    selector = selector_of(options.selector)
    lines = output.for_people and not output.fields
    report = _Report(told=lines)
    try:
        result = await client.stop_selected(
            selector, reason=options.reason, deadline=options.deadline, report=report.tell
        )
    except asyncio.CancelledError:
        await _tell_interrupted(client, report)
        raise
    except (Unreachable, OperationTimeout) as error:
        if client.context.kind != "remote":
            raise _nothing(error) from None
        raise _unconfirmed(error, client.context) from error
    except AuthenticationError as error:
        error.message = f"NOTHING WAS STOPPED: {error.message}"
        raise
    except DSMILError as error:
        raise _nothing(error) from None
    if lines:
        _sum_up(result, output)
    else:
        _show(result, output)
    if not result.latched:
        warn(f"NOT LATCHED: nothing keeps anybody from changing the devices again: {result.latch_error}")
    return StopNotConfirmed.exit_status if result.unconfirmed or not result.latched else 0


def _nothing(error: DSMILError) -> DSMILError:
    """The error of a selector that names nobody, or of devices that could not be known."""
    error.hint = f"NOTHING WAS STOPPED; without a selector everything is.  {error.hint}".rstrip()
    return error


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


@app.command(impact="read")
def status() -> None:
    """Show the emergency stops in force.

    Example: dsmilctl -C sim emergency status -o json
    """
    run(show_status, None, schema="emergency.status/1", columns=STOP_COLUMNS, empty="no emergency stop")


async def show_status(client: Client, options: None) -> Result:
    """Every stop in force."""
    del options
    return Result([stop_row(stop) for stop in await client.stops()])


@app.command(impact="read")
def history(
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="at most so many")] = 50,
) -> None:
    """Show the emergency stops there were, newest first.

    Example: dsmilctl -C sim emergency history -o wide
    """
    run(show_history, limit, schema="emergency.history/1", columns=STOP_COLUMNS, empty="no emergency stops")


async def show_history(client: Client, limit: int) -> Result:
    """Stops, newest first."""
    return Result([stop_row(stop) for stop in await client.stop_history(limit)])


class ReleaseOptions(msgspec.Struct, frozen=True):
    """Which stop is to be ended, why, and the typed name that confirms it."""

    stop_id: str
    justification: str
    confirm: str
    approval: str


@app.command(impact="danger")
def release(
    stop_id: Annotated[str, typer.Argument(metavar="[STOP_ID]", help="without it every stop")] = "",
    justification: Annotated[
        str, typer.Option(metavar="TEXT", help="why it is safe again; the policy may ask for it")
    ] = "",
    confirm: Annotated[
        str, typer.Option(metavar="NAME", help="the context's name, instead of typing it")
    ] = "",
    approval: Approval = "",
) -> None:
    """End an emergency stop.  Devices stay in their safe state until they are told otherwise.

    Example: dsmilctl -C sim emergency release --justification 'smoke was a drill' --confirm sim
    """
    options = ReleaseOptions(stop_id, justification, confirm, approval)
    if not confirm:
        require_person("this releases an emergency stop", "--confirm CONTEXT")
    run(release_stops, options, schema="emergency.release/1", columns=STOP_COLUMNS)


async def release_stops(client: Client, options: ReleaseOptions) -> Result:
    """The stops that were released."""
    name = client.context.name
    standing = await client.stops()
    if not standing:
        raise NotFound("no emergency stop is in force", hint=f"dsmilctl -C {name} emergency history")
    if options.confirm and options.confirm != name:
        message = f"--confirm {options.confirm} is not the name of the context"
        raise ConfirmationRequired(message, hint=f"--confirm {name}", target="--confirm")
    await client.require_release(
        options.stop_id, justification=options.justification, approval=options.approval
    )
    what = options.stop_id or f"{len(standing)} stop{'s' if len(standing) > 1 else ''}"
    if not options.confirm and not await confirm_by_name(f"release {what} of {name}", name):
        raise Refused("nothing was released", hint=f"it takes the name of the context: {name}", target=name)
    released = await client.release(
        options.stop_id, justification=options.justification, approval=options.approval
    )
    return Result([stop_row(stop) for stop in released])
