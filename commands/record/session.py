"""Session: one recording of a command line, from its first reading to what became of it."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import msgspec

from dsmilctl import __version__, diagnostics
from dsmilctl.archive.rows import event_row
from dsmilctl.archive.supervision import Ending, Health, Supervision
from dsmilctl.client.interface import Client
from dsmilctl.clock import SYSTEM
from dsmilctl.commands.execution import ending
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.record.options import RunOptions
from dsmilctl.commands.record.overdue import BackupWatch
from dsmilctl.commands.record.place import places_of
from dsmilctl.commands.record.program import carried_out
from dsmilctl.commands.record.sources import Sources, sources_of
from dsmilctl.config.paths import paths
from dsmilctl.errors import DSMILError
from dsmilctl.output import Output

if TYPE_CHECKING:
    from dsmilctl.archive.recording import Recording
    from dsmilctl.archive.store import Store

TELL = 0.5
"""Seconds between two tellings of how far the recording is."""


async def record(client: Client, options: RunOptions, output: Output) -> int:
    """Record until the command or the time is over, or somebody interrupts; the exit status."""
    from dsmilctl.archive.recording import new_recording
    from dsmilctl.archive.store import Store

    recording = new_recording(
        options.name, SYSTEM.now(), type=options.type, notes=options.notes, tags=options.tags,
        operator=client.identity.user, host=os.uname().nodename, context=client.context.name,
        versions={"dsmilctl": __version__},
    )  # fmt: skip
    settings = invocation().settings.archive
    store = Store(
        places_of(options.archive),
        interval=settings.commit_interval,
        least=settings.segment_readings,
        waiting=settings.waiting_readings,
        window=settings.correlation_window,
    )
    async with AsyncExitStack() as stack:
        sources = await sources_of(client, options, stack)
        with store:
            for left in store.aborted:
                diagnostics.warn(f"recording {left} was not ended by its recorder: it is marked aborted")
            return await Session(sources, options, output, recording, store).run()


class Session:
    """One recording while it runs."""

    def __init__(
        self, sources: Sources, options: RunOptions, output: Output, recording: Recording, store: Store
    ) -> None:
        from dsmilctl.archive.recorder import Recorder

        self._sources = sources
        self._options = options
        self._output = output
        self._recording = recording
        self._store = store
        self._settings = invocation().settings.archive
        self._supervision = Supervision(paths().recorder_folder(store.places.folder))
        self._supervision.prepare()
        self._writer = store.begin(recording, options.also)
        limits = sources.limits(self._writer)
        self._trigger = sources.trigger(options, self._writer)
        self._recorder = Recorder(
            sources.client, self._writer, recording.started, journal_interval=self._settings.journal_interval,
            response_interval=self._settings.response_interval, limits=limits, trigger=self._trigger,
            monitors=sources.monitors(options, self._writer, limits),
        )  # fmt: skip
        self._begun = asyncio.Event()

    async def run(self) -> int:
        """Record; how it ended is on the disk whatever ends it."""
        self._tell_health()
        end, result = Ending("failed"), 1
        try:
            if self._options.detached:
                _let_go_of_stderr()
            result = await self._record()
            end = Ending("failed", f"the command ended with status {result}") if result else Ending()
        except asyncio.CancelledError:
            end = self._supervision.asked() or Ending("completed", f"ended by a {ending()}")
            raise
        except DSMILError as error:
            end = Ending("failed", f"{error.code}: {error.message}")
            raise
        finally:
            self._tell_health("ending")
            self._store.end(self._writer, end.status, end.notes)
            self._tell_health("ended")
            self._tell_end(end.status)
        return result

    async def _record(self) -> int:
        recording = asyncio.create_task(
            self._recorder.run(
                self._sources.devices, self._sources.registers, interval=self._options.interval,
                ready=self._begun.set,
            )
        )  # fmt: skip
        telling = asyncio.create_task(self._tell())
        health = asyncio.create_task(self._keep_health())
        ending_task = asyncio.create_task(self._until_the_end())
        try:
            await asyncio.wait((recording, ending_task), return_when=asyncio.FIRST_COMPLETED)
            if recording.done():
                await _unwrapped(recording)
            return await ending_task
        finally:
            for task in (telling, health, ending_task, recording):
                task.cancel()
            await asyncio.gather(telling, health, ending_task, return_exceptions=True)
            await _unwrapped(recording)

    async def _until_the_end(self) -> int:
        """The exit status with which the recording ends, once it does."""
        if self._options.command:
            await self._begun.wait()
            return await carried_out(self._options.command, self._options.seconds)
        if not self._options.seconds:
            await asyncio.Event().wait()
        await asyncio.sleep(self._options.seconds)
        return 0

    async def _keep_health(self) -> None:
        backups = BackupWatch(paths().backup_status_file)
        while True:
            if (event := backups.look(SYSTEM.now())) is not None:
                self._writer.rows("events", [event_row(self._recording.recording_id, event)])
            await asyncio.sleep(self._settings.health_interval)
            self._tell_health()

    def _tell_health(self, state: str = "") -> None:
        problem = self._writer.problem
        health = Health(
            process=os.getpid(), recording_id=self._recording.recording_id, name=self._recording.name,
            context=self._recording.context, started=self._recording.started, updated=SYSTEM.now(),
            state=state or self._state, detached=self._options.detached,
            readings=self._writer.written, operations=self._recorder.operations,
            events=self._recorder.events, missed=self._missed, problem=problem,
            aborted=tuple(self._store.aborted),
        )  # fmt: skip
        self._supervision.tell(health)

    @property
    def _state(self) -> str:
        if self._writer.problem:
            return "degraded"
        return "recording" if self._trigger is None or self._trigger.open else "waiting"

    @property
    def _missed(self) -> int:
        return self._recorder.missed + self._writer.missed

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
            "missed": self._missed,
            "archive": str(self._store.places.folder),
        }
        if self._options.also:
            folder = self._store.places.beside
            data["beside"] = [str(folder / f"{data['recording_id']}.{name}") for name in self._options.also]
        self._output.show(data, schema="record.run/1")


def _let_go_of_stderr() -> None:
    """Whoever started a detached recorder has gone: what it has to say is in its log."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, 2)
    os.close(nowhere)


async def _unwrapped(task: asyncio.Task[None]) -> None:
    """Wait for a task; the first of our errors in it is raised, its cancellation is not."""
    with suppress(asyncio.CancelledError):  # whoever waits here has cancelled it
        try:
            await task
        except BaseExceptionGroup as group:  # what several tasks raised; only an error of ours is unwrapped
            known, _ = group.split(DSMILError)
            if known is None:
                raise
            raise _first(known) from None


def _first(group: BaseExceptionGroup[DSMILError]) -> DSMILError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
