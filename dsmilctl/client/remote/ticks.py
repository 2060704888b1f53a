"""Ticks: readings of devices as they come: over a WebSocket, else Server-Sent Events, else by asking."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from dsmilctl.client.remote.api import Api, encoded
from dsmilctl.client.remote.bulk import Bulks, Mode
from dsmilctl.client.remote.exchange import Outgoing
from dsmilctl.client.remote.failures import BadAnswer
from dsmilctl.client.remote.inbox import Inbox
from dsmilctl.client.remote.link import LONGEST_PAUSE, Heard, Link
from dsmilctl.client.remote.sse import ServerEvent, events_of
from dsmilctl.clock import rfc3339
from dsmilctl.errors import (
    InvalidParameter,
    NetworkError,
    NotFound,
    ProtocolError,
    Unreachable,
    error_of,
)
from dsmilctl.model.device import DeviceId
from dsmilctl.model.reading import Gap
from dsmilctl.wire.messages import Filters, StateBatch, Subscribe
from dsmilctl.wire.operations import BulkItem, OperationAnswer, OperationData
from dsmilctl.wire.system import ReadingInfo
from dsmilctl.wire.values import from_wire

LOGGER = logging.getLogger("dsmilctl.client")
PATIENCE = 45.0
"""Seconds of silence after which a stream of events is broken: three of the server's comment lines."""

WAYS = ("websocket", "sse", "polling")
UPDATE = msgspec.json.Decoder(ReadingInfo)
BATCH = msgspec.json.Decoder(StateBatch)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream is about; `interval` in seconds; no registers are each device's default one."""

    device_ids: tuple[DeviceId, ...]
    registers: tuple[str, ...] = ()
    interval: float = 1.0
    changes_only: bool = False


class Ticks:
    """Streams of one client."""

    def __init__(self, api: Api, bulks: Bulks) -> None:
        self._api = api
        self._bulks = bulks

    async def follow(self, wanted: Wanted, way: str = "auto") -> AsyncGenerator[StateBatch | Gap, None]:
        """What comes, until it is closed; a way that the server does not know gives room to the next one."""
        if way != "auto" and way not in WAYS:
            raise InvalidParameter(f"no way {way!r} to stream", hint=", ".join(WAYS), target="transport")
        ways = WAYS if way == "auto" else (way,)
        sources = {"websocket": self._websocket, "sse": self._events, "polling": self._poll}
        for name in ways:
            begun = False
            try:
                async with aclosing(sources[name](wanted)) as stream:
                    async for item in stream:
                        begun = True
                        yield item
                return
            except (Unreachable, NotFound) as error:
                if begun or name == ways[-1]:
                    raise
                LOGGER.info("no stream by %s (%s); trying the next way", name, error)

    async def _websocket(self, wanted: Wanted) -> AsyncGenerator[StateBatch | Gap, None]:
        inbox: Inbox[StateBatch] = Inbox()

        def listen(heard: Heard | Gap) -> None:
            if isinstance(heard, Gap):
                inbox.miss(heard.missed)
            elif heard.type == "DEVICE_STATE_BATCH":
                batch = BATCH.decode(heard.data)
                inbox.put(batch, max(1, len(batch.readings)))
            elif heard.type == "DEVICE_STATE_UPDATE":
                inbox.put(_single(UPDATE.decode(heard.data)))
            elif heard.type == "ERROR":
                told = msgspec.json.decode(heard.data)
                inbox.end(error_of(str(told.get("code", "")), str(told.get("message", ""))))

        link = Link(self._api, listen, inbox.end)
        try:
            await link.open()
            await link.subscribe(
                Subscribe(
                    subscription="device_updates",
                    filters=Filters(device_ids=list(wanted.device_ids)),
                    registers=list(wanted.registers),
                    interval_ms=max(1, round(wanted.interval * 1000)),
                    batch=True,
                    changes_only=wanted.changes_only,
                )
            )
            while (item := await inbox.next()) is not None:
                yield item
        finally:
            await link.close()

    async def _events(self, wanted: Wanted) -> AsyncGenerator[StateBatch | Gap, None]:
        """One stream for all devices; it resumes behind the last event that came."""
        query = {
            "device_ids": ",".join(str(item) for item in wanted.device_ids),
            "registers": ",".join(wanted.registers),
            "interval_ms": max(1, round(wanted.interval * 1000)),
        }
        last, attempt = "", 0
        while True:
            try:
                async with aclosing(self._event_stream(query, last)) as events:
                    async for event in events:
                        attempt = 0
                        if event.type == "end":
                            return
                        for item in _batches(event, last):
                            yield item
                        last = event.id or last
            except NetworkError as error:
                if not last and attempt == 0:
                    raise
                LOGGER.info("the stream broke: %s", error)
            if not last:
                raise ProtocolError("the stream ended before it began")
            await asyncio.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.5 * 2 ** min(attempt, 10))))
            attempt += 1

    def _event_stream(self, query: dict[str, Any], last: str) -> AsyncGenerator[ServerEvent, None]:
        async def events() -> AsyncGenerator[ServerEvent, None]:
            headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {await self._api.token()}"}
            if last:
                headers["Last-Event-ID"] = last
            path = f"{self._api.prefix}/stream{encoded(query)}"
            request = Outgoing(method="GET", path=path, headers=headers)
            lines = self._api.transport.lines(request, patience=PATIENCE)
            async with aclosing(lines), aclosing(events_of(lines)) as found:
                async for event in found:
                    yield event

        return events()

    async def _poll(self, wanted: Wanted) -> AsyncGenerator[StateBatch | Gap, None]:
        """Ask on a fixed schedule; ticks that came too late are a gap.  One that fails is tried again."""
        clock, begun, number = self._api.clock, self._api.clock.monotonic(), 0
        data = OperationData(registers=list(wanted.registers))
        items = [
            BulkItem(device_id=item, operation_type="READ", operation_data=data) for item in wanted.device_ids
        ]
        known: dict[tuple[DeviceId, str], Any] = {}
        answered = False
        while True:
            asked = clock.monotonic()
            try:
                answer = await self._bulks.run(items, Mode())
                answered = True
                readings = [reading for item in answer.results for reading in _readings(item)]
                yield StateBatch(
                    readings=_changed(readings, known) if wanted.changes_only else readings,
                    failed=[item.device_id for item in answer.results if item.status != "SUCCESS"],
                    latency_ms=(clock.monotonic() - asked) * 1000,
                    timestamp=rfc3339(clock.now(), 6),
                )
            except Unreachable as error:
                if not answered:
                    raise
                LOGGER.info("a poll failed: %s", error)
            number += 1
            late = int((clock.monotonic() - begun) / wanted.interval) - number
            if late > 0:
                number += late
                yield Gap(late)
            await asyncio.sleep(max(0.0, begun + number * wanted.interval - clock.monotonic()))


def _changed(readings: Sequence[ReadingInfo], known: dict[tuple[DeviceId, str], Any]) -> list[ReadingInfo]:
    changed = [
        item
        for item in readings
        if known.get((item.device_id, item.register), known) != (item.value, item.quality)
    ]
    known.update({(item.device_id, item.register): (item.value, item.quality) for item in readings})
    return changed


def _single(reading: ReadingInfo) -> StateBatch:
    whole = msgspec.structs.replace(reading, value=from_wire(reading.value))
    return StateBatch(readings=[whole], partial=True, timestamp=reading.timestamp)


def _batches(event: ServerEvent, last: str) -> list[StateBatch | Gap]:
    """What one event of a stream tells: a hole in front of it, and the readings of one device."""
    found: list[StateBatch | Gap] = []
    if event.id.isdigit() and last.isdigit() and int(event.id) > int(last) + 1:
        found.append(Gap(int(event.id) - int(last) - 1))
    try:
        told = msgspec.json.decode(event.data.encode(), type=dict[str, Any])
    except msgspec.MsgspecError:
        raise BadAnswer("an event of the stream cannot be understood", status=200) from None
    if event.type == "gap":
        return [Gap(int(told.get("missed", 1)))]
    timestamp = str(told.get("timestamp", ""))
    if event.type == "device_error":
        failure = ReadingInfo(
            device_id=told["device_id"],
            register="",
            value=None,
            timestamp=timestamp,
            quality="bad",
            error=str(told.get("error", "")),
            error_code=str(told.get("error_code", "HARDWARE_ERROR")),
        )
        found.append(
            StateBatch(readings=[failure], failed=[told["device_id"]], partial=True, timestamp=timestamp)
        )
    elif event.type == "device_data":
        readings = [
            ReadingInfo(
                device_id=told["device_id"], register=name, value=from_wire(value), timestamp=timestamp
            )
            for name, value in told.get("data", {}).items()
        ]
        found.append(StateBatch(readings=readings, partial=True, timestamp=timestamp))
    return found


def _readings(answer: OperationAnswer) -> list[ReadingInfo]:
    """The readings in the answer to a READ."""
    if answer.result is None:
        return [
            ReadingInfo(
                device_id=answer.device_id,
                register="",
                value=None,
                timestamp=answer.timestamp,
                quality="bad",
                error=answer.error,
                error_code=answer.error_code,
            )
        ]
    found: list[dict[str, Any]] = answer.result.values or [msgspec.to_builtins(answer.result)]
    return [
        ReadingInfo(
            device_id=answer.device_id,
            register=str(item.get("register", "")),
            value=item["value"] if item.get("value") is not None else from_wire(item.get("data")),
            timestamp=str(item.get("timestamp", "")) or answer.timestamp,
            unit=str(item.get("unit", "")),
            quality=str(item.get("quality", "good")),
            latency_ms=item.get("device_response_time_ms"),
            error=str(item.get("error", "")) or answer.error,
            error_code=str(item.get("error_code", "")) or answer.error_code,
        )
        for item in found
    ]
