"""`dsmilctl record run`: record in the foreground, for a time, until interrupted, or while a command runs."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from dsmilctl import __version__, diagnostics
from dsmilctl.archive.extra import require_archive
from dsmilctl.client.interface import Client
from dsmilctl.clock import SYSTEM
from dsmilctl.commands.execution import ending
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.place import ArchiveFolder, places_of
from dsmilctl.commands.runner import run_live
from dsmilctl.commands.targets import selector_of
from dsmilctl.commands.times import duration
from dsmilctl.errors import DeviceNotFound, DSMILError, NotFound
from dsmilctl.output import Output

if TYPE_CHECKING:
    from dsmilctl.archive.places import Places
    from dsmilctl.archive.recorder import Recorder
    from dsmilctl.archive.recording import Recording
    from dsmilctl.archive.writer import Writer

app = Noun("record")
TELL = 0.5
"""Seconds between two tellings of how far the recording is."""

NO_PROGRAM = 127
"""The exit status of a shell for a program that is not there.  Source: POSIX, Shell Command Language."""


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded, under which name, how often and until when (0: until interrupted)."""

    name: str
    selector: str = ""
    registers: tuple[str, ...] = ()
    interval: float = 1.0
    seconds: float = 0.0
    command: tuple[str, ...] = ()
    type: str = "custom"
    notes: str = ""
    tags: tuple[str, ...] = ()
    archive: str = ""


@app.command(impact="read", usage="--name NAME [OPTIONS] [-- COMMAND...]")
def run(
    name: Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="what the recording is called")],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]...", help="record while this program runs")
    ] = None,
    devices: Annotated[str, typer.Option(metavar="SEL", help="only these devices")] = "",
    registers: Annotated[str, typer.Option(metavar="A,B", help="these registers of each device")] = "",
    interval: Annotated[str, typer.Option(metavar="DURATION", help="from one reading to the next")] = "1s",
    for_: Annotated[str, typer.Option("--for", metavar="DURATION", help="end after 10s, 2m, 1h")] = "",
    type_: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="single, group, range, comprehensive, custom")
    ] = "custom",
    notes: Annotated[str, typer.Option(metavar="TEXT", help="what should be known about it")] = "",
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="may be repeated")] = None,
    archive: ArchiveFolder = "",
) -> None:
    """Record readings, operations and events in the foreground.

    With a command behind `--` the recording lasts as long as it runs, and ends with its exit status.

    Example: dsmilctl -C local record run --name tour --for 10s
    Example: dsmilctl -C sim record run --name nightly -- ./token-tests.sh
    """
    require_archive()
    options = RunOptions(
        name=name,
        selector=devices,
        registers=tuple(filter(None, (word.strip() for word in registers.split(",")))),
        interval=duration(interval),
        seconds=duration(for_) if for_ else 0.0,
        command=tuple(command or ()),
        type=type_,
        notes=notes,
        tags=tuple(tag or ()),
        archive=archive,
    )
    run_live(record, options)


async def record(client: Client, options: RunOptions, output: Output) -> int:
    """Record until the command or the time is over, or somebody interrupts; the exit status."""
    from dsmilctl.archive.recording import new_recording
    from dsmilctl.archive.store import Store

    chosen = await client.devices(selector_of(options.selector))
    if not chosen:
        raise DeviceNotFound(f"{options.selector or '@all'} names no device", hint="dsmilctl device list")
    recording = new_recording(
        options.name, SYSTEM.now(), type=options.type, notes=options.notes, tags=options.tags,
        operator=client.identity.user, host=os.uname().nodename, context=client.context.name,
        versions={"dsmilctl": __version__},
    )  # fmt: skip
    places = places_of(options.archive)
    with Store(places) as store:
        for left in store.aborted:
            diagnostics.warn(f"recording {left} was not ended by its recorder: it is marked aborted")
        writer = store.begin(recording)
        return await _Session(client, options, output, recording, store.end, writer, places).run(chosen)


class _Session:
    """One recording from its first reading to the line that says what became of it."""

    def __init__(
        self,
        client: Client,
        options: RunOptions,
        output: Output,
        recording: Recording,
        end: Any,
        writer: Writer,
        places: Places,
    ) -> None:
        from dsmilctl.archive.recorder import Recorder

        self._options = options
        self._output = output
        self._recording = recording
        self._end = end
        self._writer = writer
        self._places = places
        self._recorder: Recorder = Recorder(client, writer, recording.started)
        self._begun = asyncio.Event()

    async def run(self, devices: Any) -> int:
        """Record; how it ended is on the disk whatever ends it."""
        status, notes, result = "failed", "", 1
        try:
            result = await self._record(devices)
            status = "completed" if result == 0 else "failed"
            notes = "" if result == 0 else f"the command ended with status {result}"
        except asyncio.CancelledError:
            status, notes = "completed", f"ended by a {ending()}"
            raise
        except DSMILError as error:
            notes = f"{error.code}: {error.message}"
            raise
        finally:
            self._end(self._writer, status, notes)
            self._tell_end(status)
        return result

    async def _record(self, devices: Any) -> int:
        recording = asyncio.create_task(
            self._recorder.run(
                devices, self._options.registers, interval=self._options.interval, ready=self._begun.set
            )
        )
        telling = asyncio.create_task(self._tell())
        ending_task = asyncio.create_task(self._until_the_end())
        try:
            await asyncio.wait((recording, ending_task), return_when=asyncio.FIRST_COMPLETED)
            if recording.done():
                await _unwrapped(recording)
            return await ending_task
        finally:
            for task in (telling, ending_task, recording):
                task.cancel()
            await asyncio.gather(telling, ending_task, return_exceptions=True)
            await _unwrapped(recording)

    async def _until_the_end(self) -> int:
        """The exit status with which the recording ends, once it does."""
        if self._options.command:
            await self._begun.wait()
            return await _carried_out(self._options.command, self._options.seconds)
        if not self._options.seconds:
            await asyncio.Event().wait()
        await asyncio.sleep(self._options.seconds)
        return 0

    async def _tell(self) -> None:
        mode = invocation().progress
        painted = mode == "auto" and diagnostics.is_terminal()
        while painted or mode == "json":
            await asyncio.sleep(TELL)
            self._tell_once(painted)

    def _tell_once(self, painted: bool) -> None:
        told = {"readings": self._recorder.readings, "written": self._writer.written}
        told |= {"operations": self._recorder.operations, "events": self._recorder.events}
        if not painted:
            diagnostics.say(msgspec.json.encode({"progress": told}).decode())
            return
        words = ", ".join(f"{count} {what}" for what, count in told.items())
        problem = f" · THE DISK TAKES NOTHING: {self._writer.problem}" if self._writer.problem else ""
        diagnostics.write(f"\rrecording {self._recording.name}: {words}{problem}\x1b[K")

    def _tell_end(self, status: str) -> None:
        if invocation().progress == "auto" and diagnostics.is_terminal():
            diagnostics.write("\r\x1b[K")
        data = {
            "recording_id": self._recording.recording_id,
            "name": self._recording.name,
            "status": status,
            "readings": self._writer.written,
            "operations": self._recorder.operations,
            "events": self._recorder.events,
            "missed": self._recorder.missed + self._writer.missed,
            "archive": str(self._places.folder),
        }
        self._output.show(data, schema="record.run/1")


async def _unwrapped(task: asyncio.Task[None]) -> None:
    """Wait for a task; the first of our errors in it is raised, its cancellation is not."""
    with suppress(asyncio.CancelledError):  # whoever waits here has cancelled it
        try:
            await task
        except BaseExceptionGroup as group:
            known, _ = group.split(DSMILError)
            if known is None:
                raise
            raise _first(known) from None


def _first(group: BaseExceptionGroup[DSMILError]) -> DSMILError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _carried_out(command: tuple[str, ...], seconds: float) -> int:
    """The exit status of a program, 128 and the signal where one ended it; raises NotFound."""
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except (FileNotFoundError, PermissionError) as error:
        raise NotFound(f"{command[0]}: {error.strerror}", hint="dsmilctl record run … -- PROGRAM") from error
    try:
        async with asyncio.timeout(seconds or None):
            status = await process.wait()
    except BaseException:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        raise
    return status if status >= 0 else 128 - status
