"""`dsmilctl record start`: leave a recorder at work in the background."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec

from dsmilctl import diagnostics
from dsmilctl.archive.extra import require_archive
from dsmilctl.archive.supervision import Health, Supervision
from dsmilctl.commands.invocation import Invocation, invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.options import (
    Also,
    For,
    HostMetrics,
    Interval,
    Kernel,
    Name,
    Notes,
    PostTrigger,
    PreTrigger,
    Tag,
    Type,
    When,
    formats_of,
    seconds_of,
)
from dsmilctl.commands.record.place import ArchiveFolder, places_of
from dsmilctl.commands.runner import show
from dsmilctl.commands.targets import OptionalTargets, Registers, spelled_out
from dsmilctl.commands.times import duration
from dsmilctl.config.paths import paths
from dsmilctl.errors import DSMILError, OperationTimeout

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

app = Noun("record")
LOOK = 0.05
"""Seconds from one look at what the new recorder says to the next."""


@app.command(impact="read", makes=True)
def start(
    name: Name,
    selector: OptionalTargets = "",
    registers: Registers = None,
    interval: Interval = "",
    for_: For = "",
    host_metrics: HostMetrics = False,
    kernel: Kernel = False,
    when: When = "",
    pre_trigger: PreTrigger = "",
    post_trigger: PostTrigger = "",
    type_: Type = "custom",
    notes: Notes = "",
    tag: Tag = None,
    also: Also = None,
    archive: ArchiveFolder = "",
) -> None:
    """Record in the background until `record stop`, or for a time.

    Returns when the recorder is at work; `record status` shows how it is, and where its log lies.

    Example: dsmilctl -C sim record start --name night --interval 100ms
    Example: dsmilctl -C sim record start 0x8000-0x8003 TEMP --name heat --for 8h
    """
    require_archive()
    seconds_of(interval, "interval")
    for span in (for_, pre_trigger, post_trigger):
        duration(span or "0s")
    places = places_of(archive)
    given = {"--name": name, "--interval": interval, "--for": for_, "--type": type_, "--notes": notes}
    given |= {"--archive": str(places.folder.absolute())}
    given |= {"--when": when, "--pre-trigger": pre_trigger, "--post-trigger": post_trigger}
    options = [spelled_out(selector) or "@all", *(registers or ())]
    options += [f"{option}={value}" for option, value in given.items() if value]
    options += [f"--tag={word}" for word in tag or ()]
    options += [f"--also={word}" for word in formats_of(also)]
    options += ["--host-metrics"] * host_metrics + ["--kernel"] * kernel
    supervision = Supervision(paths().recorder_folder(places.folder))
    health = started(supervision, _command_line(invocation(), supervision.log, options))
    for left in health.aborted:
        diagnostics.warn(f"recording {left} was not ended by its recorder: it is marked aborted")
    data: dict[str, Any] = {"recording_id": health.recording_id, "name": health.name, "status": "running"}
    data |= {"process": health.process, "archive": str(places.folder), "log": str(supervision.log)}
    show(data, schema="record.start/1")


def _command_line(chosen: Invocation, log: Path, options: list[str]) -> list[str]:
    """The recorder as a command of its own, with the global options of this one."""
    line = [sys.executable, "-m", "dsmilctl"]
    if chosen.context:
        line += ["-C", chosen.context]
    line += ["--read-only"] if chosen.read_only else []
    line += [] if chosen.timeout is None else [f"--timeout={chosen.timeout}"]
    line += ["-o", "json", "--progress=none", "-v", f"--log-file={chosen.log_file or log}"]
    return [*line, "record", "run", "--detached", *options]


def started(supervision: Supervision, line: list[str]) -> Health:
    """Start a recorder in a session of its own; what it says once it is at work.

    Raises the error with which it ended instead, and OperationTimeout.
    """
    import subprocess

    supervision.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with supervision.last_words.open("wb") as words:
        process = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=words, start_new_session=True
        )
    for _ in _patience():
        health = supervision.health()
        if health is not None and health.process == process.pid:
            process.returncode = 0  # it goes on without us: nobody is to wait for it, or to warn of that
            return health
        if process.poll() is not None:
            raise _why(supervision, process)
    process.kill()
    process.wait()
    raise OperationTimeout("the recorder did not begin in time", hint=f"look into {supervision.log}")


def _patience() -> Iterator[None]:
    ends = time.monotonic() + invocation().settings.archive.stop_wait
    while time.monotonic() < ends:
        yield
        time.sleep(LOOK)  # another process writes what is looked at


def _why(supervision: Supervision, process: subprocess.Popen[bytes]) -> DSMILError:
    """The error that a recorder said last."""
    words = supervision.last_words.read_text(errors="replace").splitlines()
    for line in reversed(words):
        try:
            told: dict[str, Any] = msgspec.json.decode(line)["error"]
        except (msgspec.MsgspecError, KeyError, TypeError):
            continue  # a line of the log, not the error
        return error_of(told)
    signal = f"signal {-process.returncode}" if process.returncode < 0 else f"status {process.returncode}"
    return DSMILError(f"the recorder ended with {signal}", hint=f"look into {supervision.last_words}")


def error_of(told: dict[str, Any]) -> DSMILError:
    """An error that another process of ours told, as the same kind of error."""
    kinds, found = [DSMILError], DSMILError
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__dict__.get("code") == told["code"]:
            found = kind
    return found(told["message"], hint=told["hint"] or "", target=told["target"] or "")
