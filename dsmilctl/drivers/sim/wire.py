"""Wire log: one line per change that reached a simulated device, for tests to judge by."""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec

from dsmilctl.clock import Clock
from dsmilctl.model.device import show_id


class Wire:
    """Appends `nanoseconds pid device register value` to a file; each call is one write of whole lines."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._descriptor: int | None = None

    def note(self, changes: Iterable[tuple[int, str, object]]) -> None:
        """Append one line per device id, register (or command) and value (as JSON)."""
        if not self._path:
            return
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
        head = f"{self._clock.now()} {os.getpid()}"
        lines = (
            f"{head} {show_id(device_id)} {register} {msgspec.json.encode(value).decode()}\n"
            for device_id, register, value in changes
        )
        os.write(self._descriptor, "".join(lines).encode())

    def close(self) -> None:
        """Close the file; it is opened again when something is noted."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
