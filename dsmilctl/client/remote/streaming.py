"""Streaming: the SDK's streams of readings and its WebSocket."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Any

from dsmilctl.client.remote.connected import Connected
from dsmilctl.client.remote.names import register_of
from dsmilctl.client.remote.results import DeviceBatch, DeviceData, Update
from dsmilctl.client.remote.ticks import Ticks, Wanted
from dsmilctl.client.remote.websocket import WebSocketClient, update_of
from dsmilctl.model.device import DeviceId
from dsmilctl.model.reading import Gap
from dsmilctl.wire.messages import StateBatch

LOGGER = logging.getLogger("dsmilctl.client")


class Streaming(Connected):
    """What the server tells as it happens."""

    async def stream_devices(
        self,
        device_ids: Iterable[DeviceId],
        registers: Iterable[str] = ("STATUS",),
        interval_seconds: float = 1.0,
        *,
        changes_only: bool = False,
        transport: str = "auto",
        on_gap: Callable[[Gap], Any] | None = None,
    ) -> AsyncGenerator[Update, None]:
        """Every value of these registers, each interval, until it is closed.

        Over a WebSocket, else Server-Sent Events, else by asking (`transport` names one of websocket, sse,
        polling).  What was missed is told to `on_gap`, logged, and counted in the debug information.
        """
        wanted = Wanted(
            device_ids=tuple(device_ids),
            registers=tuple(str(item) for item in registers),
            interval=interval_seconds,
            changes_only=changes_only,
        )
        async with aclosing(Ticks(self._api, self._bulks).follow(wanted, transport)) as ticks:
            async for item in ticks:
                if isinstance(item, Gap):
                    self._missed(item, on_gap)
                    continue
                for reading in item.readings:
                    if reading.value is not None:
                        yield update_of(reading)

    async def create_device_stream(
        self,
        device_ids: Iterable[DeviceId],
        interval_ms: int = 1000,
        duration_seconds: float | None = None,
        registers: Iterable[str] = ("STATUS",),
        *,
        transport: str = "auto",
        on_gap: Callable[[Gap], Any] | None = None,
    ) -> AsyncGenerator[DeviceBatch, None]:
        """A stream of batches, one a tick, which ends after `duration_seconds`."""
        wanted = Wanted(
            device_ids=tuple(device_ids),
            registers=tuple(str(item) for item in registers),
            interval=interval_ms / 1000,
        )
        return self._batches(wanted, duration_seconds, transport, on_gap)

    async def _batches(
        self,
        wanted: Wanted,
        duration: float | None,
        transport: str,
        on_gap: Callable[[Gap], Any] | None,
    ) -> AsyncGenerator[DeviceBatch, None]:
        ends = None if duration is None else self.clock.monotonic() + duration
        async with aclosing(Ticks(self._api, self._bulks).follow(wanted, transport)) as ticks:
            async for item in ticks:
                if ends is not None and self.clock.monotonic() >= ends:
                    return
                if isinstance(item, Gap):
                    self._missed(item, on_gap)
                elif item.readings:
                    yield _batch(item)

    def _missed(self, gap: Gap, on_gap: Callable[[Gap], Any] | None) -> None:
        self._gaps += gap.missed
        LOGGER.warning("%d readings of a stream were missed", gap.missed)
        if on_gap is not None:
            on_gap(gap)

    async def create_websocket(self) -> WebSocketClient:
        """A connected WebSocket."""
        return await WebSocketClient(self._api).connect()


def _batch(item: StateBatch) -> DeviceBatch:
    devices: dict[DeviceId, dict[str, Any]] = {}
    errors: dict[DeviceId, str] = {}
    for reading in item.readings:
        values = devices.setdefault(reading.device_id, {})
        if reading.value is None:
            errors[reading.device_id] = reading.error
        else:
            values[str(register_of(reading.register))] = reading.value
    moment = item.timestamp or item.readings[0].timestamp
    return DeviceBatch(
        timestamp=moment,
        devices=tuple(
            DeviceData(device_id=device_id, timestamp=moment, data=data, error=errors.get(device_id, ""))
            for device_id, data in devices.items()
        ),
    )
