"""Ring: the kernel's ring of messages, read from `/dev/kmsg` without ever waiting for the next one."""

from __future__ import annotations

import os
from pathlib import Path

from dsmilctl.drivers.host.machine import Nonsense
from dsmilctl.drivers.host.message import KernelMessage, parse_iso_line, parse_record

RECORD = 64 * 1024
MOST = 200_000
"""Records of one call at most, so that a kernel that talks without end cannot hold its reader."""


class Ring:
    """The messages of `/dev/kmsg`, or of a file with its records or the lines of `dmesg --time-format iso`.

    Source: Documentation/ABI/testing/dev-kmsg, dmesg(1).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost = 0
        self._descriptor: int | None = None
        self._expected = 0
        self._rest = ""

    def new(self) -> list[KernelMessage]:
        """The messages since the last call; raises OSError, or Nonsense where nothing is a message."""
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        found: list[KernelMessage] = []
        strange: Nonsense | None = None
        for record in self._records(self._descriptor):
            try:
                found += self._message(record)
            except Nonsense as error:
                strange = error
        if strange is not None and not self._expected:
            raise strange
        return found

    def _message(self, record: str) -> list[KernelMessage]:
        if record.startswith(" ") or not record:
            return []  # a property of the message before
        if (told := parse_iso_line(record)) is not None:
            self._expected += 1
            return [told]
        sequence, message = parse_record(record)
        self.lost += max(0, sequence - self._expected)
        self._expected = max(self._expected, sequence + 1)
        return [message]

    def _records(self, descriptor: int) -> list[str]:
        records: list[str] = []
        while len(records) < MOST:
            try:
                part = os.read(descriptor, RECORD)
            except BrokenPipeError:
                continue  # records were overwritten; the next read goes on behind them
            except BlockingIOError:
                break
            if not part:
                break
            *lines, self._rest = (self._rest + part.decode(errors="replace")).split("\n")
            records += lines
        return records

    def close(self) -> None:
        """Close the file; the next call of `new` begins at the oldest message."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._expected, self._rest, self.lost = None, 0, "", 0
