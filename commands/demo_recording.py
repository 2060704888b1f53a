"""The demo's third part: this machine recorded, reported, exported, backed up, lost and brought back."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from dsmilctl import diagnostics
from dsmilctl.archive.extra import require_archive
from dsmilctl.clock import SYSTEM
from dsmilctl.config.paths import paths
from dsmilctl.errors import DSMILError, MissingExtraError

NAME = "tour"


class Step(msgspec.Struct, frozen=True):
    """One command of the tour, and the sentence that tells of its answer."""

    name: str
    arguments: tuple[str, ...]
    told: Callable[[Any], str]


async def tour_of_the_archive(seconds: float) -> list[dict[str, Any]]:
    """What was kept and brought back, a row per step; one row that says so without the archive's extra."""
    try:
        require_archive()
    except MissingExtraError as error:
        return [{"step": "record", "result": f"skipped: {error.message}", "ms": 0.0, "command": error.hint}]
    record = ("-C", "local", "record", "run", "--name", NAME, "--interval", "0.2s", "--for", f"{seconds}s")
    rows = [await _taken(Step("record", record, _recorded))]
    rows += [await _taken(step) for step in BEFORE]
    rows.append(_lose_the_archive())
    rows += [await _taken(step) for step in AFTER]
    return rows


async def _taken(step: Step) -> dict[str, Any]:
    """Run a step's command as anybody would; raises DSMILError where it does not succeed."""
    begun = SYSTEM.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dsmilctl", *step.arguments, "-o", "json", "--progress", "none",
        cwd=paths().data.parent, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        answer, complaint = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    command = f"dsmilctl {' '.join(step.arguments)}"
    if process.returncode != 0:
        raise DSMILError(f"{command} ended with {process.returncode}: {complaint.decode().strip()}")
    return _row(step.name, step.told(msgspec.json.decode(answer)["data"]), begun, command)


def _lose_the_archive() -> dict[str, Any]:
    begun, archive = SYSTEM.monotonic(), paths().archive_folder
    shutil.rmtree(archive)
    return _row("loss", "the archive is deleted, as a broken disk would", begun, f"rm -r {archive.name}")


def _row(name: str, result: str, begun: float, command: str) -> dict[str, Any]:
    if diagnostics.is_terminal():
        diagnostics.say(f"✓ {name}: {result}")
    elapsed = round((SYSTEM.monotonic() - begun) * 1000, 1)
    return {"step": name, "result": result, "ms": elapsed, "command": command}


def _recorded(data: dict[str, Any]) -> str:
    return f"{data['readings']} readings of this machine kept, {data['missed']} missed"


def _reported(data: dict[str, Any]) -> str:
    return f"a page of {data['bytes']:,} bytes with charts of {data['readings']} readings"


def _exported(data: dict[str, Any]) -> str:
    return f"{data['readings']} readings as {data['format']}, {data['bytes']:,} bytes"


def _backed_up(data: dict[str, Any]) -> str:
    return f"{data['rows']} readings in {data['stored']:,} bytes, read back and found whole"


def _restored(data: dict[str, Any]) -> str:
    return f"{data['recordings']} recording with {data['rows']} readings is back"


def _checked(data: Sequence[Any]) -> str:
    return f"{len(data)} problems in five layers"


BEFORE = (
    Step("report", ("record", "report", NAME, "--output", f"{NAME}.html"), _reported),
    Step(
        "export", ("record", "export", NAME, "--format", "parquet", "--output", f"{NAME}.parquet"), _exported
    ),
    Step("backup", ("backup", "create", "--name", NAME), _backed_up),
)
AFTER = (
    Step("restore", ("backup", "restore", NAME, "--confirm", NAME), _restored),
    Step("check", ("record", "check"), _checked),
)
