"""Timers: what runs a command again and again on this machine: systemd of the user, or cron."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dsmilctl.config.paths import systemd_user_folder
from dsmilctl.errors import StateUnavailable

if TYPE_CHECKING:
    from dsmilctl.archive.backup.schedule import Schedule

PATIENCE = 20.0
"""Seconds that systemctl and crontab may take."""


class Systemd:
    """Timers of systemd for this user.  Source: systemd.timer(5), systemctl(1)."""

    name = "systemd"

    def install(self, plan: Schedule) -> None:
        """Write the two units and start the timer; raises StateUnavailable."""
        folder = systemd_user_folder()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plan.name}.service").write_text(plan.service)
        (folder / f"{plan.name}.timer").write_text(plan.timer)
        _run(["systemctl", "--user", "daemon-reload"])
        _run(["systemctl", "--user", "enable", "--now", f"{plan.name}.timer"])

    def remove(self, plan: Schedule) -> None:
        """Stop the timer and remove the units, if they are there."""
        if not self.installed(plan):
            return
        _run(["systemctl", "--user", "disable", "--now", f"{plan.name}.timer"])
        for ending in ("service", "timer"):
            (systemd_user_folder() / f"{plan.name}.{ending}").unlink(missing_ok=True)
        _run(["systemctl", "--user", "daemon-reload"])

    def installed(self, plan: Schedule) -> bool:
        """Whether the timer is there."""
        return (systemd_user_folder() / f"{plan.name}.timer").is_file()

    def next(self, plan: Schedule) -> str | None:
        """When it comes round, in systemd's words."""
        told = _run(
            [
                "systemctl",
                "--user",
                "show",
                "--property=NextElapseUSecRealtime",
                "--value",
                f"{plan.name}.timer",
            ]
        )
        return told.strip() or None


class Cron:
    """A line in the user's crontab.  Source: crontab(1)."""

    name = "cron"

    def install(self, plan: Schedule) -> None:
        """Add the line; raises StateUnavailable."""
        _run(["crontab", "-"], plan.crontab_with(self._crontab()))

    def remove(self, plan: Schedule) -> None:
        """Take the line out, if it is there; the others stay."""
        if self.installed(plan):
            _run(["crontab", "-"], plan.crontab_without(self._crontab()))

    def installed(self, plan: Schedule) -> bool:
        """Whether the line is there."""
        return plan.is_in(self._crontab())

    def next(self, plan: Schedule) -> str | None:
        """Cron does not say."""
        del plan
        return None

    def _crontab(self) -> str:
        return _run(["crontab", "-l"], may_fail=True)


def timers() -> list[Systemd | Cron]:
    """What this machine has, the better one first."""
    found: list[Systemd | Cron] = []
    if shutil.which("systemctl") and _answers(["systemctl", "--user", "show-environment"]):
        found.append(Systemd())
    if shutil.which("crontab"):
        found.append(Cron())
    return found


def _answers(command: Sequence[str]) -> bool:
    import subprocess

    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _run(command: Sequence[str], given: str = "", *, may_fail: bool = False) -> str:
    """What a program says; raises StateUnavailable where it fails."""
    import subprocess

    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StateUnavailable(f"{command[0]}: {error}", target=command[0]) from error
    if done.returncode and not may_fail:
        what = done.stderr.strip() or f"it ended with status {done.returncode}"
        raise StateUnavailable(f"{' '.join(command)}: {what}", target=command[0])
    return done.stdout if not done.returncode else ""
