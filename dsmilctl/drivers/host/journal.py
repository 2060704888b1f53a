"""Journal: the kernel's messages as systemd's journal keeps them, for users who may not read `/dev/kmsg`."""

from __future__ import annotations

from typing import Any

import msgspec

from dsmilctl.drivers.host.machine import Nonsense, printable, whole
from dsmilctl.drivers.host.message import LONGEST, KernelMessage
from dsmilctl.drivers.host.program import run


class Journal:
    """The kernel messages of this boot.  Source: journalctl(1), systemd.journal-fields(7)."""

    def __init__(self, program: str) -> None:
        self.lost = 0
        self._program = program
        self._cursor = ""

    def new(self) -> list[KernelMessage]:
        """The messages since the last call; raises OSError, or Nonsense for an answer that is none."""
        rows = run([self._program, *self._arguments()]).splitlines()
        entries = [_entry(row) for row in rows if row.strip()]
        if entries:
            self._cursor = str(entries[-1].get("__CURSOR", ""))
        return [_message(entry) for entry in entries]

    def _arguments(self) -> list[str]:
        since = [f"--after-cursor={self._cursor}"] if self._cursor else []
        return ["--dmesg", "--boot", "--quiet", "--no-pager", "--output=json", *since]

    def close(self) -> None:
        """Forget how far was read."""
        self._cursor = ""


def _entry(row: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(row, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise Nonsense(f"{printable(row)!r} is not a journal entry") from None


def _message(entry: dict[str, Any]) -> KernelMessage:
    told = entry.get("MESSAGE", "")
    if isinstance(told, list):
        told = bytes(byte for byte in told if isinstance(byte, int) and 0 <= byte < 256).decode(
            errors="replace"
        )
    timestamp = entry.get("_SOURCE_MONOTONIC_TIMESTAMP") or entry.get("__MONOTONIC_TIMESTAMP", "0")
    return KernelMessage(
        whole(str(timestamp)),
        whole(str(entry.get("PRIORITY", "6"))) & 7,
        whole(str(entry.get("SYSLOG_FACILITY", "0"))),
        printable(str(told), LONGEST),
    )
