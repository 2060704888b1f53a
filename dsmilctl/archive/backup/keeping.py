"""Keeping: which backups a policy keeps, with the rules that restic documents.

Every rule counts hours, days, weeks … that have a backup, and keeps the last one of each; a backup that one
rule wants is kept.  Source: restic's manual, "Removing snapshots according to a policy".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from dsmilctl.clock import NANOSECONDS

Bucket = Callable[[datetime], object]
BUCKETS: dict[str, Bucket] = {
    "last": lambda moment: moment,
    "hourly": lambda moment: (moment.date(), moment.hour),
    "daily": lambda moment: moment.date(),
    "weekly": lambda moment: moment.isocalendar()[:2],
    "monthly": lambda moment: (moment.year, moment.month),
    "yearly": lambda moment: moment.year,
}
"""What two backups have in common of which a rule keeps the later one only."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How many of each are kept, and for how long (seconds before the newest one) all are."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: float = 0.0

    @property
    def empty(self) -> bool:
        """Whether it would keep nothing."""
        return not any(getattr(self, name) > 0 for name in self.__struct_fields__)


class Kept(msgspec.Struct, frozen=True):
    """A backup by the moment it was made, and the rules that keep it; none for one that goes."""

    name: str
    created: int
    reasons: tuple[str, ...]


def apply(policy: Policy, backups: Sequence[tuple[str, int]], now: int) -> list[Kept]:
    """What a policy does with backups, given by name and moment (nanoseconds UTC); newest first.

    One from the future is kept: the clock may have been wrong.  Days begin at midnight of this machine.
    """
    ordered = sorted(backups, key=lambda item: (item[1], item[0]), reverse=True)
    reasons: dict[str, list[str]] = {name: [] for name, _ in ordered}
    past = [item for item in ordered if item[1] <= now]
    for name, _ in ordered[: len(ordered) - len(past)]:
        reasons[name].append("in the future")
    for rule, bucket in BUCKETS.items():
        for name in _counted(past, bucket, getattr(policy, rule), unique=rule == "last"):
            reasons[name].append(rule)
    if policy.within and past:
        since = past[0][1] - policy.within * NANOSECONDS
        for name, created in past:
            if created > since:
                reasons[name].append("within")
    return [Kept(name, created, tuple(reasons[name])) for name, created in ordered]


def _counted(backups: Sequence[tuple[str, int]], bucket: Bucket, count: int, *, unique: bool) -> list[str]:
    """The names that one rule keeps: the newest of each bucket, and the oldest of all while some are left."""
    kept: list[str] = []
    before: object = None
    for number, (name, created) in enumerate(backups):
        if len(kept) >= count:
            break
        found = name if unique else bucket(datetime.fromtimestamp(created // NANOSECONDS).astimezone())
        if found != before or number == len(backups) - 1:
            kept.append(name)
        before = found
    return kept
