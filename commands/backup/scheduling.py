"""`dsmilctl backup schedule`: let backups be made by themselves, with systemd or cron."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from dsmilctl.archive.backup.attempts import last_attempt, note_attempt
from dsmilctl.archive.backup.schedule import RULES, Schedule, every_of, policy_of
from dsmilctl.clock import SYSTEM, rfc3339
from dsmilctl.commands.backup.timers import Cron, Systemd, timers
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.place import ArchiveFolder
from dsmilctl.commands.runner import show
from dsmilctl.config.paths import HOME, VARIABLES, paths
from dsmilctl.errors import CheckFailed, UsageError

app = Noun("backup")


@app.command(impact="write")
def schedule(
    install: Annotated[bool, typer.Option("--install", help="have backups made from now on")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="have none made any more")] = False,
    status: Annotated[bool, typer.Option("--status", help="whether they are, and how the last went")] = False,
    every: Annotated[str, typer.Option(metavar="WHEN", help="hourly, daily, weekly, 15m, 6h")] = "daily",
    keep: Annotated[str, typer.Option(metavar="RULES", help="what stays after each verified backup")] = RULES,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="into another folder, or to a URL")] = "",
    passphrase_file: Annotated[
        str, typer.Option("--passphrase-file", metavar="FILE", help="encrypt them, with what is in it")
    ] = "",
    archive: ArchiveFolder = "",
) -> None:
    """Print, install or remove what makes backups by itself: a timer of systemd, or else a line of cron.

    After each backup that was read back, those go that no rule keeps.  One that fails, or does not come, is
    seen in `record status` and `doctor`.

    Example: dsmilctl backup schedule
    Example: dsmilctl backup schedule --install --every 6h --keep last=3,daily=14,weekly=8
    """
    if install + remove + status > 1:
        raise UsageError("one of --install, --remove and --status", hint="dsmilctl backup schedule --status")
    plan = _plan(every, keep, to, passphrase_file, archive)
    if install or remove:
        _change(plan, install=install)
    elif status:
        _show_status(plan)
    else:
        show(
            {"service": plan.service, "timer": plan.timer, "cron": plan.cron_line}, schema="backup.schedule/1"
        )


def _plan(every: str, keep: str, to: str, passphrase_file: str, archive: str) -> Schedule:
    """What would be installed."""
    policy_of(keep)
    options = [f"--keep={keep}"] if keep else []
    options += [f"--to={to if '://' in to else Path(to).absolute()}"] if to else []
    options += [f"--archive={Path(archive).absolute()}"] if archive else []
    if passphrase_file:
        options += ["--encrypt", f"--passphrase-file={Path(passphrase_file).absolute()}"]
    command = [sys.executable, "-m", "dsmilctl", "backup", "create", *options]
    environment = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    return Schedule(name=_name(), every=every_of(every), command=command, environment=environment)


def _name() -> str:
    """The name of the units: another one for another home."""
    home = os.environ.get(HOME, "").strip()
    if not home:
        return "dsmilctl-backup"
    import hashlib

    return f"dsmilctl-backup-{hashlib.sha256(str(Path(home).absolute()).encode()).hexdigest()[:8]}"


def _change(plan: Schedule, *, install: bool) -> None:
    file = paths().backup_status_file
    timer = next(iter(timers()), None)
    if timer is None:
        hint = "dsmilctl backup schedule prints what another scheduler needs"
        raise UsageError("neither systemd for this user nor crontab is here", hint=hint, target="--install")
    for other in timers():
        other.remove(plan)
    if install:
        timer.install(plan)
    seconds = plan.every.seconds if install else 0
    note_attempt(file, msgspec.structs.replace(last_attempt(file), every=seconds))
    show(_row(plan, timer if install else None), schema="backup.schedule/1")


def _show_status(plan: Schedule) -> None:
    found = next((timer for timer in timers() if timer.installed(plan)), None)
    row = _row(plan, found)
    failed = row["last"] in ("failed", "stale")
    show(row, schema="backup.schedule/1", status=CheckFailed.exit_status if failed else 0)


def _row(plan: Schedule, timer: Systemd | Cron | None) -> dict[str, Any]:
    attempt = last_attempt(paths().backup_status_file)
    state, message = attempt.state(SYSTEM.now())
    return {
        "scheduled": timer is not None,
        "by": None if timer is None else timer.name,
        "unit": None if timer is None else plan.name,
        "every_s": attempt.every or None,
        "next": None if timer is None else timer.next(plan),
        "last": state,
        "last_good": rfc3339(attempt.good) if attempt.good else None,
        "message": message,
        "program": shutil.which("dsmilctl") or f"{sys.executable} -m dsmilctl",
    }
