"""KernelMessage: one message of the kernel, as `/dev/kmsg` and the journal tell it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from dsmilctl.drivers.host.machine import Nonsense, printable, whole

ERROR, WARNING = 3, 4
"""Levels of messages: 0 emergency, 1 alert, 2 critical, 3 error, 4 warning, … 7 debug."""

LONGEST = 1000


class KernelMessage(msgspec.Struct, frozen=True):
    """One message: `timestamp` in microseconds since boot, `level` 0 (emergency) to 7 (debug)."""

    timestamp: int
    level: int
    facility: int
    text: str


class MessageSource(Protocol):
    """Where kernel messages come from."""

    lost: int

    def new(self) -> list[KernelMessage]:
        """The messages since the last call (the first one: all there are); raises OSError or Nonsense."""
        ...

    def close(self) -> None:
        """Let go of what is open; the next call of `new` begins anew."""
        ...


def parse_record(record: str) -> tuple[int, KernelMessage]:
    """Sequence number and message of one record of `/dev/kmsg`; raises Nonsense.

    Source: Documentation/ABI/testing/dev-kmsg: `priority,sequence,microseconds,flags;text`.
    """
    head, semicolon, told = record.partition(";")
    fields = head.split(",")
    if not semicolon or len(fields) < 3:
        raise Nonsense(f"{printable(record)!r} is not a kernel message")
    priority, sequence, timestamp = (whole(field) for field in fields[:3])
    if priority < 0 or sequence < 0:
        raise Nonsense(f"{printable(record)!r} is not a kernel message")
    return sequence, KernelMessage(timestamp, priority & 7, priority >> 3, printable(told, LONGEST))
