"""Alarm: something that a person should look at, and how far that person has come with it.

The states and what leads from one to the other are a table.  Source: ANSI/ISA-18.2-2016, figure 3.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from enum import IntEnum, StrEnum

import msgspec

from dsmilctl.errors import Conflict
from dsmilctl.model.device import DeviceId, show_id
from dsmilctl.model.register import Value


class AlarmState(StrEnum):
    """Where an alarm stands.  A normal one is in no list."""

    NORMAL = "NORMAL"
    UNACKNOWLEDGED = "UNACKNOWLEDGED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RETURNED = "RETURNED_UNACKNOWLEDGED"
    LATCHED = "LATCHED"
    SHELVED = "SHELVED"


class AlarmEvent(StrEnum):
    """What can happen to an alarm.

    RAISE: its condition begins; CLEAR: it ends; LATCH: it ends, and is one that somebody has to reset.
    The others are what a person does; a shelf whose time is over does UNSHELVE by itself.
    """

    RAISE = "RAISE"
    CLEAR = "CLEAR"
    LATCH = "LATCH"
    ACKNOWLEDGE = "ACKNOWLEDGE"
    RESET = "RESET"
    SHELVE = "SHELVE"
    UNSHELVE = "UNSHELVE"


S, E = AlarmState, AlarmEvent
TRANSITIONS: Mapping[tuple[AlarmState, AlarmEvent], AlarmState] = {
    (S.NORMAL, E.RAISE): S.UNACKNOWLEDGED,
    (S.UNACKNOWLEDGED, E.CLEAR): S.RETURNED,
    (S.UNACKNOWLEDGED, E.LATCH): S.LATCHED,
    (S.UNACKNOWLEDGED, E.ACKNOWLEDGE): S.ACKNOWLEDGED,
    (S.UNACKNOWLEDGED, E.SHELVE): S.SHELVED,
    (S.ACKNOWLEDGED, E.CLEAR): S.NORMAL,
    (S.ACKNOWLEDGED, E.LATCH): S.LATCHED,
    (S.ACKNOWLEDGED, E.SHELVE): S.SHELVED,
    (S.RETURNED, E.RAISE): S.UNACKNOWLEDGED,
    (S.RETURNED, E.ACKNOWLEDGE): S.NORMAL,
    (S.RETURNED, E.SHELVE): S.SHELVED,
    (S.LATCHED, E.RAISE): S.UNACKNOWLEDGED,
    (S.LATCHED, E.RESET): S.NORMAL,
    (S.SHELVED, E.RAISE): S.SHELVED,
    (S.SHELVED, E.CLEAR): S.SHELVED,
    (S.SHELVED, E.LATCH): S.SHELVED,
    (S.SHELVED, E.SHELVE): S.SHELVED,
    (S.SHELVED, E.UNSHELVE): S.NORMAL,
}
"""State and event → state; what is not in it cannot happen.  Behind UNSHELVE a condition that still holds
raises the alarm anew."""

VERBS: Mapping[str, AlarmEvent] = {
    "acknowledge": E.ACKNOWLEDGE,
    "ack": E.ACKNOWLEDGE,
    "shelve": E.SHELVE,
    "unshelve": E.UNSHELVE,
    "reset": E.RESET,
}
"""What a person can do to an alarm, in the words of the API."""


class Priority(IntEnum):
    """How soon somebody has to do something, in rising order."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2
    CRITICAL = 3


class Condition(StrEnum):
    """What an alarm is about; all of it follows from what is known of a register or a device."""

    HIGH_HIGH = "HIGH_HIGH"
    HIGH = "HIGH"
    LOW = "LOW"
    BAD_VALUE = "BAD_VALUE"
    ERROR = "ERROR"


PRIORITIES: Mapping[Condition, Priority] = {
    Condition.HIGH_HIGH: Priority.CRITICAL,
    Condition.ERROR: Priority.HIGH,
    Condition.HIGH: Priority.MEDIUM,
    Condition.LOW: Priority.MEDIUM,
    Condition.BAD_VALUE: Priority.LOW,
}
LATCHING = frozenset({Condition.HIGH_HIGH})
"""Conditions that have to be reset: what was critical once may have done harm."""


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm.  `register` is empty where it is about the whole device.

    `active` is whether the condition holds now; `since` (nanoseconds UTC) is when the state changed last;
    `value` and `message` are of when the condition began or ended, `limit` is what the value was held
    against, in the register's unit; `shelved_until` is 0 unless it is shelved.
    """

    id: str
    device_id: DeviceId
    register: str
    condition: Condition
    priority: Priority
    state: AlarmState = AlarmState.NORMAL
    active: bool = False
    since: int = 0
    acknowledged_by: str = ""
    shelved_by: str = ""
    shelved_until: int = 0
    value: Value | None = None
    limit: float | None = None
    unit: str = ""
    message: str = ""


class AlarmQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which alarms are wanted, the most urgent first; nothing named is all.

    `limit` at most (0: all) behind the first `offset`.
    """

    states: frozenset[AlarmState] = frozenset()
    priorities: frozenset[Priority] = frozenset()
    device_ids: frozenset[DeviceId] = frozenset()
    limit: int = 50
    offset: int = 0


def after(alarm: Alarm, event: AlarmEvent) -> AlarmState:
    """The state behind an event; raises Conflict where the table has none."""
    found = TRANSITIONS.get((alarm.state, event))
    if found is None:
        possible = [verb for verb, meant in VERBS.items() if (alarm.state, meant) in TRANSITIONS]
        hint = f"possible: {', '.join(possible)}" if possible else "there is nothing to do"
        raise Conflict(
            f"{alarm.id} is {alarm.state}: no {event} now",
            device_id=alarm.device_id,
            hint=hint,
            target=alarm.id,
        )
    return found


_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")


def alarm_id_of(device_id: DeviceId, register: str, condition: Condition) -> str:
    """`0x8003:TEMP:HIGH`, `0x8003:ERROR`; names that cannot stand in a path are told apart by a checksum."""
    parts = [part for part in (show_id(device_id), register, condition.value) if part]
    plain = ":".join("-".join(_PLAIN.findall(part)) for part in parts)
    whole = ":".join(parts)
    return whole if plain == whole else f"{plain}:{zlib.crc32(repr(parts).encode()):08x}"
