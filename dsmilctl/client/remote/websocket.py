"""WebSocketClient: the SDK's WebSocket: subscriptions with callbacks, for as long as one likes."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.inbox import Inbox
from dsmilctl.client.remote.link import Heard, Link
from dsmilctl.client.remote.names import register_of
from dsmilctl.client.remote.results import SystemEvent, Update
from dsmilctl.model.device import DeviceId
from dsmilctl.model.reading import Gap
from dsmilctl.wire.messages import Filters, StateBatch, Subscribe
from dsmilctl.wire.system import ReadingInfo
from dsmilctl.wire.values import from_wire

LOGGER = logging.getLogger("dsmilctl.client")
Callback = Callable[[Any], Any]
UPDATES = ("DEVICE_STATE_UPDATE", "DEVICE_STATE_BATCH")
PRESENTED = {"EMERGENCY_BROADCAST": "EMERGENCY_STOP"}
"""Message type → event type where they differ.  Source: the DSMIL API, version 2, SDK handlers."""

TO_ALL = frozenset(
    {"EMERGENCY_BROADCAST", "SYSTEM_MAINTENANCE", "CLIENT_RATE_LIMITED", "BULK_OPERATION_COMPLETE"}
)
TOPICS = {"SYSTEM_EVENT": "system_events", "SECURITY_ALERT": "security_alerts", "AUDIT_EVENT": "audit_events"}


class _Subscription(msgspec.Struct, frozen=True):
    topic: str
    device_ids: frozenset[DeviceId]
    callback: Callback | None
    failed: Callback | None = None


class WebSocketClient:
    """What a server pushes, handed to callbacks one after the other; callbacks may be coroutines.

    A callback that raises is logged and does not end anything.  `set_gap_handler` hears of what was missed.
    """

    def __init__(self, api: Api) -> None:
        self._inbox: Inbox[Heard] = Inbox()
        self._link = Link(api, self._listen, self._inbox.end)
        self._subscriptions: dict[str, _Subscription] = {}
        self._gap_handler: Callback | None = None
        self.missed = 0

    @property
    def connected(self) -> bool:
        """Whether it is connected now."""
        return self._link.connected

    async def connect(self) -> WebSocketClient:
        """Connect; raises NetworkError or AuthenticationError."""
        await self._link.open()
        return self

    async def subscribe_device_updates(
        self,
        device_ids: Iterable[DeviceId],
        callback: Callback | None = None,
        *,
        failed: Callback | None = None,
        registers: Iterable[str] = (),
        interval_ms: int = 1000,
        changes_only: bool = False,
    ) -> str:
        """Have a callback told every Update of these devices; the name of the subscription.

        `failed` is told of readings that failed: an Update whose `data` is None, with its error.
        """
        wanted = Subscribe(
            subscription="device_updates",
            filters=Filters(device_ids=list(device_ids)),
            registers=[str(item) for item in registers],
            interval_ms=interval_ms,
            changes_only=changes_only,
        )
        return await self._subscribe(wanted, callback, failed)

    async def subscribe_system_events(self, callback: Callback | None = None) -> str:
        """Have a callback told every SystemEvent, emergency stops above all; the name of the subscription."""
        return await self._subscribe(Subscribe(subscription="system_events"), callback)

    async def subscribe_advanced(
        self,
        subscription: str,
        filters: Mapping[str, Any] | None = None,
        rate_limit: str = "",
        callback: Callback | None = None,
        **extensions: Any,
    ) -> str:
        """Any subscription with its filters; `extensions` are registers, interval_ms, batch, changes_only."""
        given = {name: list(value) for name, value in (filters or {}).items()}
        wanted = msgspec.convert(
            {"subscription": subscription, "filters": given, "rate_limit": rate_limit, **extensions},
            Subscribe,
        )
        return await self._subscribe(wanted, callback)

    async def _subscribe(
        self, wanted: Subscribe, callback: Callback | None, failed: Callback | None = None
    ) -> str:
        await self.connect()
        ids = frozenset(wanted.filters.device_ids)
        name = await self._link.subscribe(wanted)
        self._subscriptions[name] = _Subscription(wanted.subscription, ids, callback, failed)
        return name

    async def unsubscribe(self, name: str) -> None:
        """End a subscription."""
        self._subscriptions.pop(name, None)
        await self._link.unsubscribe(name)

    def set_gap_handler(self, handler: Callback | None) -> None:
        """Have a function told every Gap: how many messages did not come."""
        self._gap_handler = handler

    async def run_forever(self) -> None:
        """Hand on what comes until `close` is called; raises what ends it for good, such as a lost login."""
        await self.connect()
        while (heard := await self._inbox.next()) is not None:
            if isinstance(heard, Gap):
                self.missed += heard.missed
                LOGGER.warning("%d messages were missed", heard.missed)
                await _call(self._gap_handler, heard)
            else:
                await self._hand_on(heard)

    async def close(self) -> None:
        """Close it; `run_forever` returns."""
        await self._link.close()
        self._inbox.end()

    async def __aenter__(self) -> WebSocketClient:
        return await self.connect()

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def _listen(self, heard: Heard | Gap) -> None:
        if isinstance(heard, Gap):
            self._inbox.miss(heard.missed)
        else:
            self._inbox.put(heard)

    async def _hand_on(self, heard: Heard) -> None:
        if heard.type in UPDATES:
            await self._hand_on_updates(heard)
            return
        event = event_of(heard)
        for subscription in tuple(self._subscriptions.values()):
            wanted = TOPICS.get(heard.type)
            if subscription.topic == wanted or (
                heard.type in TO_ALL and subscription.topic == "system_events"
            ):
                await _call(subscription.callback, event)

    async def _hand_on_updates(self, heard: Heard) -> None:
        """An update to every subscription of its device; a batch, which names its own, to that one alone."""
        only = ""
        if heard.type == "DEVICE_STATE_BATCH":
            batch = msgspec.json.decode(heard.data, type=StateBatch)
            readings, only = batch.readings, self._link.name_of(batch.subscription_id)
        else:
            readings = [msgspec.json.decode(heard.data, type=ReadingInfo)]
        for reading in readings:
            update = update_of(reading, heard.seq)
            for name, item in tuple(self._subscriptions.items()):
                mine = not item.device_ids or update.device_id in item.device_ids
                if item.topic == "device_updates" and mine and only in ("", name):
                    await _call(item.failed if update.data is None else item.callback, update)


def update_of(reading: ReadingInfo, sequence: int | None = None) -> Update:
    """A reading as an update."""
    return Update(
        device_id=reading.device_id,
        register=register_of(reading.register),
        data=from_wire(reading.value),
        timestamp=reading.timestamp,
        unit=reading.unit,
        quality=reading.quality,
        error=reading.error,
        error_code=reading.error_code,
        sequence=sequence,
    )


def event_of(heard: Heard) -> SystemEvent:
    """A message as an event."""
    told = msgspec.json.decode(heard.data, type=dict[str, Any])
    default = {"SECURITY_ALERT": "HIGH", "CLIENT_RATE_LIMITED": "WARNING"}.get(heard.type, "INFO")
    return SystemEvent(
        type=str(told.get("event_type") or PRESENTED.get(heard.type, heard.type)),
        message=str(told.get("message") or told.get("reason") or ""),
        severity=str(told.get("severity") or default),
        timestamp=str(told.get("timestamp") or heard.timestamp),
        device_id=told.get("device_id"),
        data=told,
        sequence=heard.seq,
    )


async def _call(callback: Callback | None, item: object) -> None:
    if callback is None:
        return
    try:
        found = callback(item)
        if inspect.isawaitable(found):
            await found
    except asyncio.CancelledError:
        raise
    except Exception:  # a program's callback may fail with anything; the others are called all the same
        LOGGER.exception("a callback failed")
