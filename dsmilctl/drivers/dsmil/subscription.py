"""Subscription: values as the other server pushes them over its WebSocket, with what was missed counted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import msgspec

from dsmilctl.client.remote.inbox import Inbox
from dsmilctl.client.remote.link import Heard, Link
from dsmilctl.client.remote.mapping import reading_of
from dsmilctl.drivers.dsmil.conversation import Conversation
from dsmilctl.drivers.dsmil.members import Members
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Gap, Quality, Reading
from dsmilctl.model.register import Register, Value
from dsmilctl.wire.messages import Filters, StateBatch, Subscribe
from dsmilctl.wire.system import ReadingInfo

SHORTEST_MS, LONGEST_MS = 100, 3_600_000
"""What a server takes as an interval.  Source: the DSMIL API, version 2, SUBSCRIBE_ADVANCED."""

Values = Sequence[tuple[Device, Register, Value]]


class Subscription:
    """Follows devices of one server.  `missed` counts the messages that did not come."""

    def __init__(self, conversation: Conversation, members: Members) -> None:
        self._conversation = conversation
        self._members = members
        self.missed = 0

    async def follow(
        self, devices: Sequence[Device], registers: Sequence[str], interval: float
    ) -> AsyncGenerator[Values, None]:
        """Values until it is closed; a connection that breaks comes back and counts what was missed."""
        inbox: Inbox[Heard] = Inbox()

        def listen(heard: Heard | Gap) -> None:
            if isinstance(heard, Gap):
                inbox.miss(heard.missed)
            else:
                inbox.put(heard)

        link = Link(await self._conversation.ready(), listen, inbox.end)
        try:
            await link.open()
            await link.subscribe(
                Subscribe(
                    subscription="device_updates",
                    filters=Filters(device_ids=[self._members.theirs(device) for device in devices]),
                    registers=list(registers),
                    interval_ms=min(LONGEST_MS, max(SHORTEST_MS, round(interval * 1000))),
                    batch=True,
                )
            )
            while (heard := await inbox.next()) is not None:
                if isinstance(heard, Gap):
                    self.missed += heard.missed
                elif values := self._values(heard, registers):
                    yield values
        finally:
            await link.close()

    def _values(self, heard: Heard, registers: Sequence[str]) -> Values:
        if heard.type == "DEVICE_STATE_BATCH":
            infos = msgspec.json.decode(heard.data, type=StateBatch).readings
        elif heard.type == "DEVICE_STATE_UPDATE":
            infos = [msgspec.json.decode(heard.data, type=ReadingInfo)]
        else:
            return ()
        found = (self._value(reading_of(info), registers) for info in infos)
        return [value for value in found if value is not None]

    def _value(self, reading: Reading, wanted: Sequence[str]) -> tuple[Device, Register, Value] | None:
        device = self._members.ours(reading.device_id)
        if device is None or reading.value is None or reading.quality is Quality.STALE:
            return None
        for register in device.registers:
            if register.name == reading.register and (not wanted or register.name in wanted):
                return device, register, reading.value
        return None
