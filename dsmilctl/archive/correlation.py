"""Correlation: what happened because of a token test or an operation, and how much speaks for it.

strength = nearness x kinship.  Nearness is 1 while the cause goes on, and falls in a straight line to 0 over
the window behind its end.  Kinship is 1 for the same device or token, 0.75 for the same group of devices and
for messages of the kernel that are about Dell's firmware, 0.5 for everything else on the machine.  The delay
counts from the beginning of the cause; of several causes the strongest counts, of equal ones the last.  No
more than the last MOST causes before an effect are looked at.
"""

from __future__ import annotations

import re
import sqlite3
from bisect import bisect_right
from collections.abc import Iterable

import msgspec

from dsmilctl.archive.tokens import FIRST, PER_GROUP, group_of, hex_id_of
from dsmilctl.clock import NANOSECONDS

WINDOW = 5.0
"""Seconds behind the end of a cause in which something can be its effect."""

MOST = 2000
"""Causes before one effect that are compared: thousands of operations a second must not hold up an end."""

SAME, AKIN, ELSEWHERE = 1.0, 0.75, 0.5
FIRST_DEVICE = 0x8000
FIRMWARE = re.compile(r"dsmil|72dev|smbios|token|dell", re.IGNORECASE)
NUMBERS = re.compile(r"0x[0-9A-Fa-f]+")
Place = tuple[int, int] | None
"""Group and place in it of a device or token."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A token test (`test_id`) or an operation (`operation_id`), from `started` to `ended` (nanoseconds)."""

    started: int
    ended: int
    place: Place = None
    words: frozenset[str] = frozenset()
    test_id: int | None = None
    operation_id: str = ""


class Tie(msgspec.Struct, frozen=True):
    """A cause, the delay behind its beginning in milliseconds, and the strength, above 0 up to 1."""

    cause: Cause
    delay_ms: float
    strength: float


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """Something at one moment; `text` is what a message says, `place` the device that it is about."""

    moment: int
    place: Place = None
    text: str = ""


class Causes:
    """The causes of one kind in a recording, by time."""

    def __init__(self, causes: Iterable[Cause], window: float = WINDOW) -> None:
        self._causes = sorted(causes, key=lambda cause: cause.started)
        self._starts = [cause.started for cause in self._causes]
        self._window = round(window * NANOSECONDS)
        longest = max((cause.ended - cause.started for cause in self._causes), default=0)
        self._reach = longest + self._window

    def of(self, effect: Effect) -> Tie | None:
        """The strongest tie of an effect to one of the causes before it; None without any."""
        best: Tie | None = None
        last = bisect_right(self._starts, effect.moment)
        for cause in reversed(self._causes[max(0, last - MOST) : last]):
            if cause.started < effect.moment - self._reach or (best and best.strength >= SAME):
                break
            value = self._nearness(cause, effect.moment) * kinship(cause, effect)
            if value > (best.strength if best else 0):
                best = Tie(cause, (effect.moment - cause.started) / 1e6, round(value, 6))
        return best

    def _nearness(self, cause: Cause, moment: int) -> float:
        late = max(0, moment - cause.ended)
        if late == 0:
            return 1.0
        return max(0.0, 1 - late / self._window) if self._window else 0.0


def kinship(cause: Cause, effect: Effect) -> float:
    """How near an effect is to its cause apart from time: SAME, AKIN or ELSEWHERE."""
    if effect.text:
        named = {number.casefold() for number in NUMBERS.findall(effect.text)}
        if named & cause.words:
            return SAME
        return AKIN if FIRMWARE.search(effect.text) else ELSEWHERE
    if cause.place is None or effect.place is None:
        return ELSEWHERE
    if cause.place == effect.place:
        return SAME
    return AKIN if cause.place[0] == effect.place[0] else ELSEWHERE


def place_of(target: str) -> Place:
    """Group and place of a DSMIL device such as `0x8001`; None for anything else."""
    if not re.fullmatch(r"0x[0-9A-F]{4}", target):
        return None
    index = int(target, 16) - FIRST_DEVICE
    return divmod(index, PER_GROUP) if 0 <= index < 84 else None


def tests_of(connection: sqlite3.Connection, recording_id: str) -> list[Cause]:
    """The token tests of a recording; one that goes on is as long as a moment."""
    rows = connection.execute(
        """SELECT test_id, token_id, test_timestamp, coalesce(test_duration_ms, 0) FROM token_tests
           WHERE session_id = ?""",
        (recording_id,),
    )
    return [
        Cause(
            started=started,
            ended=started + round(duration * 1e6),
            place=(group_of(token), (token - FIRST) % PER_GROUP),
            words=_words(hex_id_of(token), f"0x{FIRST_DEVICE + token - FIRST:04X}"),
            test_id=test_id,
        )
        for test_id, token, started, duration in rows
    ]


def operations_of(connection: sqlite3.Connection, recording_id: str) -> list[Cause]:
    """The operations of a recording, from intent to outcome; what was refused had no effect."""
    rows = connection.execute(
        """SELECT operation_id, min(timestamp), max(timestamp), target FROM operations
           WHERE session_id = ? AND operation_id != '' AND decision = 'ALLOWED' GROUP BY operation_id""",
        (recording_id,),
    )
    return [
        Cause(
            started=started, ended=ended, place=place_of(target), words=_words(target), operation_id=operation
        )
        for operation, started, ended, target in rows
    ]


def _words(*names: str) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)
