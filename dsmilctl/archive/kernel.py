"""Kernel: the kernel's messages beside a recording, with their level and what they are about."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from dsmilctl.archive.schedule import every
from dsmilctl.archive.writer import Writer
from dsmilctl.client.interface import Client
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.model.device import Device

LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
FAMILIES = {
    "dsmil": re.compile(r"dsmil|72dev", re.IGNORECASE),
    "smbios": re.compile(r"smbios|\btoken", re.IGNORECASE),
    "thermal": re.compile(r"thermal|temperature|throttl", re.IGNORECASE),
    "acpi": re.compile(r"\bacpi", re.IGNORECASE),
    "dell": re.compile(r"\bdell", re.IGNORECASE),
}
"""Subsystems that the seed looks for, by the words of a message."""

TAGS = re.compile(r"\b(error|warning|fail|timeout|invalid)", re.IGNORECASE)
_SPEAKER = re.compile(r"([A-Za-z][\w-]*)(?: [\w.:-]+)?: ")

Message = tuple[int, int, int, str]
"""Number, nanoseconds UTC, level and text, as the host driver's register `recent` tells them."""


class KernelMonitor:
    """Keeps every message from its start on; those that came faster than it looked are noted as a gap."""

    def __init__(
        self, client: Client, writer: Writer, device: Device, *, interval: float, clock: Clock = SYSTEM
    ) -> None:
        self._client = client
        self._writer = writer
        self._device = device
        self._interval = interval
        self._clock = clock
        self._last: int | None = None

    async def run(self) -> None:
        """Look for ever."""
        await every(self._interval, self.look, self._clock)

    async def look(self) -> None:
        """Keep what is new since the look before; the first one only finds out where to begin."""
        (reading,) = await self._client.read([self._device], ["recent"])
        if not isinstance(reading.value, str):
            return
        messages = msgspec.json.decode(reading.value, type=list[Message])
        newest = messages[-1][0] if messages else 0
        if self._last is not None and newest > self._last:
            new = [message for message in messages if message[0] > self._last]
            if missed := newest - self._last - len(new):
                self._writer.gap(missed, "kernel messages were missed")
            rows = [message_row(self._writer.recording_id, message, self._clock.now()) for message in new]
            self._writer.rows("kernel_messages", rows)
        self._last = newest


def message_row(recording_id: str, message: Message, now: int) -> tuple[Any, ...]:
    """A message as a row of `kernel_messages`."""
    _, wall, level, text = message
    found = sorted({word.lower() for word in TAGS.findall(text)})
    tags = msgspec.json.encode(found).decode()
    return recording_id, wall, LEVELS[level], subsystem_of(text), text, f"<{level}>{text}", tags, now


def subsystem_of(text: str) -> str:
    """What a message is about: one of FAMILIES, else the driver that speaks, else nothing."""
    for name, pattern in FAMILIES.items():
        if pattern.search(text):
            return name
    speaker = _SPEAKER.match(text)
    return speaker[1].lower() if speaker else ""
