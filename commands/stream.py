"""`dsmilctl stream`: follow readings and events, line by line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from dsmilctl import diagnostics
from dsmilctl.client.interface import Client
from dsmilctl.clock import rfc3339
from dsmilctl.commands.execution import ending
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.rows import reading_columns, reading_row
from dsmilctl.commands.runner import run_live
from dsmilctl.commands.targets import OptionalTargets, Registers, selector_of
from dsmilctl.commands.times import duration
from dsmilctl.errors import DeviceNotFound, DSMILError, InvalidParameter, nearest
from dsmilctl.model.device import show_id
from dsmilctl.model.dotted import fits, pattern_of
from dsmilctl.model.event import EVENT_TYPES, Event, Severity
from dsmilctl.model.reading import Batch, Gap
from dsmilctl.output import Output
from dsmilctl.stdout import is_terminal
from dsmilctl.tables import Column

app = Noun("stream")
T = TypeVar("T")
SHORTEST = 0.01
"""Seconds between two readings, at the least."""

TRANSPORTS = ("auto", "ws", "sse", "poll")

EVENT_COLUMNS = (
    Column("timestamp", "TIME"),
    Column("severity"),
    Column("type"),
    Column("device_id", "DEVICE"),
    Column("message", flexible=True),
)

Interval = Annotated[str, typer.Option(metavar="DURATION", help="from one reading to the next")]
Count = Annotated[int | None, typer.Option(metavar="N", min=1, help="end after N lines of data")]
For = Annotated[str, typer.Option("--for", metavar="DURATION", help="end after 500ms, 10s, 2m, 1h")]


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be followed, how often and until when (0: for ever)."""

    selector: str = ""
    registers: tuple[str, ...] = ()
    interval: float = 1.0
    count: int = 0
    seconds: float = 0.0
    type: str = ""
    severity: Severity = Severity.DEBUG
    transport: str = "auto"


@app.command(impact="read")
def devices(
    targets: OptionalTargets = "",
    registers: Registers = None,
    interval: Interval = "1s",
    count: Count = None,
    for_: For = "",
    transport: Annotated[
        str, typer.Option(metavar="KIND", help="auto or poll; on a server also ws and sse")
    ] = "auto",
) -> None:
    """Follow readings of devices.

    Off a terminal every line is a JSON document: first {"event":"start"}, then readings, {"event":"gap"}
    where some were missed, last {"event":"end"} with the reason.

    Example: dsmilctl -C local stream devices load --interval 0.2 --count 50 -o ndjson
    """
    _check_transport(transport)
    options = StreamOptions(
        selector=targets,
        registers=tuple(registers or ()),
        interval=_interval(interval),
        count=count or 0,
        seconds=_span(for_),
        transport=transport,
    )
    run_live(follow_devices, options, default=_default())


def _interval(text: str) -> float:
    """Seconds from one reading to the next; raises InvalidParameter."""
    seconds = duration(text)
    if seconds < SHORTEST:
        message = f"--interval cannot be {text}"
        raise InvalidParameter(message, hint="10ms or more", target="--interval")
    return seconds


def _check_transport(transport: str) -> None:
    if transport not in TRANSPORTS:
        hint = nearest(transport, TRANSPORTS) or f"transports: {', '.join(TRANSPORTS)}"
        raise InvalidParameter(f"no transport {transport!r}", hint=hint, target="--transport")


def _span(text: str) -> float:
    """Seconds after which a stream ends, 0 for never where nothing is said."""
    seconds = duration(text) if text else 0.0
    if text and not seconds:
        raise InvalidParameter(
            f"--for cannot be {text}", hint="leave it out to follow for ever", target="--for"
        )
    return seconds


def _default() -> str:
    """Tables for a person, lines of JSON for whatever reads a pipe."""
    return "" if is_terminal() else "ndjson"


async def follow_devices(client: Client, options: StreamOptions, output: Output) -> int:
    """Readings as they come, until the count, the time or the reader ends it."""
    client.choose_transport(options.transport)
    chosen = await client.devices(selector_of(options.selector))
    if not chosen:
        raise DeviceNotFound(f"{options.selector or '@all'} names no device", hint="dsmilctl device list")
    source = client.stream(chosen, options.registers, interval=options.interval)
    rest = (column for column in reading_columns(chosen) if column.field != "timestamp")
    lines = _Lines(output, (Column("timestamp", "TIME"), *rest), options.count)
    lines.begin(devices=len(chosen), interval=options.interval)

    def take(item: Batch | Gap) -> None:
        if isinstance(item, Gap):
            lines.gap(item.missed)
            return
        for reading in item.readings:
            lines.data(reading_row(reading))

    return await _follow(source, take, lines, options.seconds)


@app.command(impact="read")
def events(
    type_: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="only these: device.state, emergency.*, …")
    ] = "",
    severity: Annotated[
        str, typer.Option(metavar="LEVEL", help="this or worse: info, warning, error")
    ] = "debug",
    count: Count = None,
    for_: For = "",
    interval: Annotated[
        str, typer.Option(metavar="DURATION", help="from one look at the devices to the next")
    ] = "1s",
) -> None:
    """Follow events: devices that fail and answer again, emergency stops, a journal that cannot be written.

    Example: dsmilctl -C sim stream events --for 10s
    """
    options = StreamOptions(
        interval=_interval(interval),
        count=count or 0,
        seconds=_span(for_),
        type=pattern_of(type_, EVENT_TYPES, "--type"),
        severity=_severity(severity),
    )
    run_live(follow_events, options, default=_default())


def _severity(text: str) -> Severity:
    known = [item.name.lower() for item in Severity]
    if text.lower() not in known:
        hint = nearest(text, known) or f"severities: {', '.join(known)}"
        raise InvalidParameter(f"no severity {text!r}", hint=hint, target="--severity")
    return Severity[text.upper()]


async def follow_events(client: Client, options: StreamOptions, output: Output) -> int:
    """Events as they happen; devices are polled meanwhile, or nothing would be noticed."""
    watched = await client.devices()
    lines = _Lines(output, EVENT_COLUMNS, options.count)
    lines.begin(devices=len(watched), interval=options.interval)

    async def look() -> None:
        async with aclosing(client.stream(watched, interval=options.interval, changes_only=True)) as source:
            async for _ in source:
                pass

    def take(item: Event | Gap) -> None:
        if isinstance(item, Gap):
            lines.gap(item.missed)
        elif item.severity >= options.severity and fits(options.type, item.type):
            lines.data(event_row(item))

    try:
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(look())
            status = await _follow(client.events(), take, lines, options.seconds)
            looking.cancel()
            return status
    except* DSMILError as errors:
        raise errors.exceptions[0] from None


def event_row(event: Event) -> dict[str, Any]:
    """An event as a line."""
    return {
        "timestamp": rfc3339(event.timestamp),
        "type": event.type,
        "severity": event.severity.name.lower(),
        "device_id": None if event.device_id is None else show_id(event.device_id),
        "message": event.message,
    }


class _Lines:
    """The lines of one stream: its beginning, data, gaps and end."""

    def __init__(self, output: Output, columns: tuple[Column, ...], count: int) -> None:
        self._output = output
        self._columns = columns
        self._count = count
        self._written = 0
        self._told = output.as_json

    @property
    def full(self) -> bool:
        return bool(self._count) and self._written >= self._count

    def begin(self, **facts: Any) -> None:
        self._event("start", context=self._output.context, **facts)

    def data(self, row: dict[str, Any]) -> None:
        if not self.full:
            self._output.row(row, self._columns)
            self._written += 1

    def gap(self, missed: int) -> None:
        if self._told:
            self._event("gap", missed=missed)
        else:
            diagnostics.warn(f"{missed} readings were missed: this end is too slow")

    def end(self, reason: str) -> None:
        self._event("end", reason=reason, lines=self._written)

    def _event(self, name: str, **facts: Any) -> None:
        if self._told:
            self._output.mark({"event": name, **facts})


async def _follow(
    source: AsyncGenerator[T, None], take: Callable[[T], None], lines: _Lines, seconds: float
) -> int:
    """Take items until the stream is full, the time is over, or something ends it from outside."""
    reason = "closed"
    try:
        async with asyncio.timeout(seconds or None), aclosing(source) as items:
            async for item in items:
                take(item)
                if lines.full:
                    reason = "count"
                    break
    except TimeoutError:
        reason = "time"
    except asyncio.CancelledError:
        lines.end(ending())
        raise
    except DSMILError:
        lines.end("error")
        raise
    lines.end(reason)
    return 0
