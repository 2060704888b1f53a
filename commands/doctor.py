"""`dsmilctl doctor`: check this installation and say what to mend."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from dsmilctl import __version__
from dsmilctl.client.interface import Client
from dsmilctl.clock import SYSTEM
from dsmilctl.commands.execution import execute
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.runner import show as show_result
from dsmilctl.config.paths import paths
from dsmilctl.config.settings import validate
from dsmilctl.errors import CheckFailed, DSMILError
from dsmilctl.stdout import encoding, terminal_size
from dsmilctl.tables import Column

app = Noun("doctor")
COLUMNS = (
    Column("check"),
    Column("status"),
    Column("message", flexible=True),
    Column("fix", flexible=True),
)
PACKAGES = (
    "typer",
    "rich",
    "textual",
    "httpx",
    "websockets",
    "pydantic-settings",
    "plotext",
    "msgspec",
    "psutil",
)

EXTRAS = {"jq": ("jq", "--jq")}
"""Extra → (its package, what it is for)."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: status `ok`, `warning` or `problem`, and what would mend it."""

    check: str
    status: str
    message: str
    fix: str = ""


@app.alone(impact="read")
def doctor(
    bundle: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write a report for others, too")
    ] = None,
) -> None:
    """Check versions, settings, state, journal, latch, drivers and terminal; exit status 9 on a problem.

    The report of --bundle holds no secrets.

    Example: dsmilctl doctor
    Example: dsmilctl doctor --bundle report.json
    """
    invocation(despite_errors=True, quiet=True)
    findings = [*_versions(), *_terminal(), *_settings(), *_folders(), *_secrets(), *_backups(), *_fleet()]
    rows = [{**msgspec.to_builtins(finding), "fix": finding.fix or None} for finding in findings]
    if bundle is not None:
        _write_bundle(bundle, rows)
    failed = any(finding.status == "problem" for finding in findings)
    show_result(rows, schema="doctor/1", columns=COLUMNS, status=CheckFailed.exit_status if failed else 0)


def _versions() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    yield Finding(
        "dsmilctl", "ok", f"{__version__} on Python {platform.python_version()}, {platform.system()}"
    )
    for name in PACKAGES:
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "problem", "is not installed", f"pip install {name}")
    for name, (package, use) in EXTRAS.items():
        try:
            yield Finding(f"extra {name}", "ok", f"{package} {version(package)}")
        except PackageNotFoundError:
            yield Finding(f"extra {name}", "ok", f"not installed: pip install 'dsmilctl[{name}]' for {use}")


def _terminal() -> Iterator[Finding]:
    found = encoding()
    status = "ok" if "utf" in found.lower() else "warning"
    yield Finding("encoding", status, found, "" if status == "ok" else "export LC_ALL=C.UTF-8")
    term = os.environ.get("TERM", "")
    if term in ("", "dumb"):
        yield Finding("terminal", "warning", f"TERM={term or 'unset'}: the dashboard needs a terminal")
    else:
        yield Finding("terminal", "ok", f"TERM={term}, {_size()}")


def _size() -> str:
    size = terminal_size()
    return f"{size[0]} columns, {size[1]} rows" if size else "the output is a pipe or file"


def _settings() -> Iterator[Finding]:
    problems = validate(None)
    for problem in problems:
        yield Finding("settings", "problem", problem, "dsmilctl config validate")
    if not problems:
        yield Finding("settings", "ok", "no mistakes")
    for name in ("DSMIL_PASSWORD", "DSMIL_TOKEN", "DSMIL_SERVICE_TOKEN"):
        if os.environ.get(name):
            yield Finding(name, "warning", "a secret in the environment is seen by every child process")


def _folders() -> Iterator[Finding]:
    folders = paths()
    for name, folder in (("state folder", folders.state), ("data folder", folders.data)):
        try:
            yield _folder(name, folder)
        except OSError as error:
            yield _shut(name, folder, error)


def _shut(name: str, folder: Path, error: OSError) -> Finding:
    """A folder into which nobody lets us look."""
    message = f"{folder} cannot be looked at: {error.strerror}"
    outermost = next(place for place in folder.parents if os.access(place, os.X_OK))
    shut = next(place for place in (folder, *folder.parents) if place.parent == outermost)
    return Finding(name, "problem", message, _opened(shut))


def _opened(folder: Path) -> str:
    """The command that lets the user into a folder and write there."""
    if folder.stat().st_uid == os.geteuid():
        return f"chmod u+rwx {folder}"
    return f"sudo chown -R {os.geteuid()} {folder}"


def _folder(name: str, folder: Path) -> Finding:
    """Whether what is kept there can be written; raises OSError where nobody lets us look."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if not existing.is_dir():
        return Finding(name, "problem", f"{existing} is not a folder", f"move {existing} away")
    free = os.statvfs(existing)
    if os.access(existing, os.W_OK | os.X_OK):
        return Finding(name, "ok", f"{folder}, {free.f_bavail * free.f_frsize >> 20} MB free")
    return Finding(name, "problem", f"{folder} cannot be written", _opened(existing))


def _secrets() -> Iterator[Finding]:
    folder = paths().tokens_folder
    try:
        kept = [folder, *folder.iterdir()]
        wide = [place for place in kept if place.stat().st_mode & 0o077]
    except FileNotFoundError:
        yield Finding("secrets", "ok", "none kept")
        return
    except OSError as error:
        yield _shut("secrets", folder, error)
        return
    for place in wide:
        yield Finding("secrets", "problem", f"{place} can be read by others", f"chmod go= {place}")
    if not wide:
        yield Finding("secrets", "ok", f"{len(kept) - 1} kept in {folder}")


def _backups() -> Iterator[Finding]:
    """Whether the last backup went well and is not overdue."""
    from dsmilctl.archive.backup.attempts import last_attempt

    if not os.path.isdir(paths().archive_folder):  # noqa: PTH112 - Path's raises where nobody lets us look
        return
    state, message = last_attempt(paths().backup_status_file).state(SYSTEM.now())
    status = {"ok": "ok", "none": "warning"}.get(state, "problem")
    yield Finding("backup", status, message, "" if state == "ok" else "dsmilctl backup create")


def _fleet() -> Iterator[Finding]:
    """What the context says of itself; a part that fails does not hide the others."""

    async def look() -> list[Finding]:
        found: list[Finding] = []
        async with invocation().connect() as client:
            if client.context.kind == "remote":
                from dsmilctl.commands.doctor_server import server_findings

                found += await server_findings(client)
                if any(finding.status == "problem" for finding in found):
                    return found  # everything else would fail for the same reason
            for name, part in {"drivers": _drivers, "journal": _journal, "context": _health}.items():
                try:
                    found += await part(client)
                except DSMILError as error:
                    found.append(Finding(name, "problem", error.message, error.hint))
        return found

    try:
        yield from execute(look())
    except DSMILError as error:
        message = error.message.splitlines()[0].rstrip(":")  # each one has a row among the settings
        yield Finding("context", "problem", message, error.hint)


async def _drivers(client: Client) -> list[Finding]:
    return [
        Finding(f"driver {info.name}", "problem", info.problem, info.fix)
        if info.problem
        else Finding(f"driver {info.name}", "ok", "enabled" if info.enabled else f"disabled: {info.reason}")
        for info in await client.drivers()
    ]


async def _journal(client: Client) -> list[Finding]:
    verdict = await client.audit_verify()
    if not verdict.intact:
        return [Finding("journal", "problem", f"{verdict.file}: {verdict.problem}", "dsmilctl audit verify")]
    found = [Finding("journal", "ok", f"{verdict.records} records, chain intact")]
    if verdict.unfinished:
        message = f"{len(verdict.unfinished)} changes have no outcome"
        found.append(Finding("journal", "warning", message, "dsmilctl audit log --outcome INTENT"))
    return found


async def _health(client: Client) -> list[Finding]:
    health = await client.health()
    found = [
        Finding(f"context {client.context.name}: {part}", "ok" if state == "ok" else "problem", _plain(state))
        for part, state in health["components"].items()
    ]
    for stop in await client.stops():
        fix = f"dsmilctl -C {client.context.name} emergency status"
        found.append(Finding("emergency stop", "warning", f"{stop.stop_id} is in force: {stop.reason}", fix))
    return found


def _plain(state: str) -> str:
    return "works" if state == "ok" else state


def _write_bundle(file: Path, rows: list[dict[str, Any]]) -> None:
    """The findings and the facts of the platform; settings and secrets stay here."""
    report = {
        "dsmilctl": __version__,
        "platform": platform.platform(),
        "python": sys.version,
        "findings": rows,
    }
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
