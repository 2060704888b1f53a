"""Schedule: when backups are made by themselves, as a timer of systemd or a line of cron."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

import msgspec

from dsmilctl.archive.backup.keeping import Policy
from dsmilctl.errors import InvalidParameter

WORDS = {"hourly": 3600, "daily": 86400, "weekly": 7 * 86400}
SPAN = re.compile(r"([0-9]+)(m|h)")
RULES = "last=3,daily=14,weekly=8,monthly=12"
COUNTS = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


class Every(msgspec.Struct, frozen=True):
    """How often: in seconds, as OnCalendar of systemd says it, and as cron does."""

    seconds: int
    calendar: str
    cron: str


def every_of(text: str) -> Every:
    """Hourly, daily, weekly, or minutes that divide an hour and hours that divide a day: `5m`, `6h`.

    Raises InvalidParameter.  Source: systemd.time(7), crontab(5).
    """
    if text in WORDS:
        return Every(WORDS[text], text, f"@{text}")
    match = SPAN.fullmatch(text)
    count, whole = (int(match[1]), 60 if match[2] == "m" else 24) if match else (0, 1)
    if not match or not 0 < count < whole or whole % count:
        hint = "hourly, daily, weekly, or what divides an hour or a day: 5m, 15m, 6h"
        raise InvalidParameter(f"{text!r} is no interval of backups", hint=hint, target="--every")
    if match[2] == "m":
        return Every(count * 60, f"*:0/{count}", f"*/{count} * * * *")
    return Every(count * 3600, f"0/{count}:00", f"0 */{count} * * *")


def policy_of(text: str) -> Policy:
    """A policy as one word: `last=3,daily=14`; raises InvalidParameter."""
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, count = part.partition("=")
        if name not in COUNTS or not count.isascii() or not count.isdigit():
            hint = f"{RULES}; rules: {', '.join(COUNTS)}"
            raise InvalidParameter(f"{part!r} is no rule of what is kept", hint=hint, target="--keep")
        found[name] = int(count)
    return Policy(**found)


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A command that is run again and again, in an environment."""

    name: str
    every: Every
    command: Sequence[str]
    environment: Mapping[str, str] = {}

    @property
    def service(self) -> str:
        """The unit that makes one backup.  Source: systemd.service(5), systemd.exec(5)."""
        variables = "".join(
            f"Environment={_unit_word(f'{key}={value}')}\n" for key, value in sorted(self.environment.items())
        )
        command = " ".join(_unit_word(word, dollars=True) for word in self.command)
        return (
            "[Unit]\nDescription=Back up the archive of dsmilctl\n\n"
            f"[Service]\nType=oneshot\nNice=10\n{variables}ExecStart={command}\n"
        )

    @property
    def timer(self) -> str:
        """The unit that says when; a backup that was missed is made up for.  Source: systemd.timer(5)."""
        return (
            "[Unit]\nDescription=When the archive of dsmilctl is backed up\n\n"
            f"[Timer]\nOnCalendar={self.every.calendar}\nPersistent=true\n\n"
            "[Install]\nWantedBy=timers.target\n"
        )

    @property
    def mark(self) -> str:
        """By which the line is found again in a crontab."""
        return f"# {self.name}"

    @property
    def cron_line(self) -> str:
        """The line for cron, in which a `%` has to be written otherwise.  Source: crontab(5)."""
        variables = [f"{key}={shlex.quote(value)}" for key, value in sorted(self.environment.items())]
        line = " ".join([*variables, shlex.join(self.command)]).replace("%", "\\%")
        return f"{self.every.cron} {line} >/dev/null 2>&1 {self.mark}"

    def crontab_with(self, crontab: str) -> str:
        """A crontab with this line in it, once."""
        return f"{self.crontab_without(crontab)}{self.cron_line}\n"

    def crontab_without(self, crontab: str) -> str:
        """A crontab without this line; every other one stays as it is."""
        return "".join(f"{line}\n" for line in _lines(crontab) if not line.endswith(self.mark))

    def is_in(self, crontab: str) -> bool:
        """Whether the line is there."""
        return any(line.endswith(self.mark) for line in _lines(crontab))


def _lines(crontab: str) -> list[str]:
    """Lines as cron has them: nothing but a line feed ends one."""
    return crontab.removesuffix("\n").split("\n") if crontab else []


def _unit_word(word: str, *, dollars: bool = False) -> str:
    """A word as a unit file has it: quoted, with what systemd would replace written twice."""
    if "\n" in word:
        raise InvalidParameter("a line feed cannot be part of a schedule", target=word.partition("\n")[0])
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped.replace("$", "$$") if dollars else escaped}"'
