"""Connection: one WebSocket: hears its client, and tells it what it subscribed to."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from dsmilctl.clock import rfc3339
from dsmilctl.errors import DSMILError, InvalidParameter, NotFound, PermissionDenied, RateLimitError, nearest
from dsmilctl.model.identity import Identity
from dsmilctl.server.gateway import Gateway
from dsmilctl.server.mistakes import mistake
from dsmilctl.server.push.outbox import Letter, Missed, Outbox
from dsmilctl.server.push.subscriptions import DeviceUpdates, check, chosen_registers, devices_for
from dsmilctl.server.push.ticks import ENCODER
from dsmilctl.wire.messages import (
    CLOSE_FORBIDDEN,
    CLOSE_HEARTBEAT_LOST,
    CLOSE_UNAUTHENTICATED,
    ClientMessage,
    Heartbeat,
    Subscribe,
    Unsubscribe,
)
from dsmilctl.wire.words import in_fields

LOGGER = logging.getLogger("dsmilctl.server")
SEND_DEADLINE = 30.0
"""Seconds in which a receiver has to take something, however slowly."""
AT_ONCE = 50
"""Messages that are said before others get a turn on the event loop."""
LAST_WORDS = 1.0
"""Seconds in which what is left is said before a connection is closed."""
MOST_SUBSCRIPTIONS = 100
MESSAGES_PER_SECOND = 100.0
BURST = 200.0
GOING_AWAY = 1001
FAILED = 1011
GONE = (WebSocketDisconnect, TimeoutError, RuntimeError)
"""What sending raises when the receiver is gone, or takes nothing any more."""


class _Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    type: str
    id: str
    data: msgspec.Raw
    timestamp: str
    seq: int
    source: str = ""
    target: str = ""


class Connection:
    """One WebSocket of one identity; `heartbeat` are the seconds after which a heart that beat is lost."""

    def __init__(
        self, gateway: Gateway, websocket: WebSocket, identity: Identity, token: str, heartbeat: float
    ) -> None:
        self.identity = identity
        self._gateway = gateway
        self._websocket = websocket
        self._token = token
        self._heartbeat = heartbeat
        self._beats = False
        self._heard_at = gateway.clock.monotonic()
        self._outbox = Outbox()
        self._sequence = 0
        self._updates: dict[str, DeviceUpdates] = {}
        self._topics: dict[str, str] = {}
        self._ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._code, self._reason = FAILED, "the server failed"
        self._allowance = BURST
        self._allowed_at = self._heard_at
        self._verbs: dict[str, Callable[[ClientMessage], Awaitable[None]]] = {
            "SUBSCRIBE_ADVANCED": self._subscribe,
            "UNSUBSCRIBE": self._unsubscribe,
            "CLIENT_HEARTBEAT": self._beat,
        }

    async def run(self) -> None:
        """Serve until either side ends it."""
        push = self._gateway.push
        for letter in await push.stops():
            self._outbox.urgent(letter)
        push.join(self)
        self._gateway.metrics.websockets += 1
        reading, writing = asyncio.create_task(self._read()), asyncio.create_task(self._write())
        try:
            await asyncio.wait([reading, writing, self._ending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            push.leave(self)
            self._gateway.metrics.websockets -= 1
            for subscription_id in tuple(self._updates):
                self._forget(subscription_id)
            await self._finish(reading, writing)

    async def _finish(self, *tasks: asyncio.Task[None]) -> None:
        """Say what is left, where it can be said quickly, and close with the code of what ended it."""
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        faults = [item for item in outcomes if isinstance(item, Exception) and not isinstance(item, GONE)]
        for fault in faults:
            LOGGER.error("a WebSocket failed: %s", fault, exc_info=fault)
        if self._ending.done() or faults:
            with suppress(*GONE):  # the socket is closed all the same
                async with asyncio.timeout(LAST_WORDS):
                    while len(self._outbox):
                        await self._say(await self._outbox.next())
                    await self._websocket.close(self._code, self._reason)

    # What is told

    def hear(self, letter: Letter, subscription: str = "") -> None:
        """Take a letter; with `subscription` only if that is subscribed to."""
        if not subscription or subscription in self._topics.values():
            self._outbox.news(letter)

    def hear_emergency(self, letter: Letter) -> None:
        """Take a letter that passes everything."""
        self._outbox.urgent(letter)

    def end(self, reason: str) -> None:
        """Close: the server ends."""
        self._end(GOING_AWAY, reason)

    def _end(self, code: int, reason: str) -> None:
        if not self._ending.done():
            self._code, self._reason = code, reason
            self._ending.set_result(None)

    def check(self) -> None:
        """Look whether the session goes on, with the same rights, and the heart beats."""
        silent = self._gateway.clock.monotonic() - self._heard_at
        if self._beats and silent > self._heartbeat:
            self._end(CLOSE_HEARTBEAT_LOST, f"no heartbeat for {silent:.0f} s")
        try:
            now = self._gateway.access.authenticate(self._token)
        except DSMILError as error:
            self._end(CLOSE_UNAUTHENTICATED, error.message)
            return
        if (now.clearance, now.devices) != (self.identity.clearance, self.identity.devices):
            self._end(CLOSE_FORBIDDEN, "the rights of this user have changed")

    async def _write(self) -> None:
        while True:
            for _ in range(AT_ONCE):
                item = await self._outbox.next()
                if isinstance(item, Missed):
                    item = self._begin_anew(item)
                async with asyncio.timeout(SEND_DEADLINE):
                    await self._say(item)
            await asyncio.sleep(0)

    def _begin_anew(self, missed: Missed) -> Missed:
        """After something was missed, those who hear of changes alone are told everything again."""
        lossy = [item for item in self._updates.values() if item.feed and item.feed.key.changes_only]
        if not lossy:
            return missed
        dropped = self._outbox.forget_readings()
        for updates in lossy:
            updates.refresh()
        return Missed(missed.count + dropped)

    async def _say(self, item: Letter | Missed) -> None:
        self._sequence += 1
        letter = Letter("GAP", b'{"missed":%d}' % item.count, 0) if isinstance(item, Missed) else item
        envelope = _Envelope(
            letter.type,
            letter.reply_to or f"push-{self._sequence}",
            msgspec.Raw(letter.data),
            rfc3339(self._gateway.clock.now()),
            self._sequence,
            "server",
            self.identity.user_id or self.identity.user,
        )
        metrics = self._gateway.metrics
        if isinstance(item, Missed):
            metrics.missed += item.count
        metrics.pushed += letter.weight
        await self._websocket.send_text(ENCODER.encode(envelope).decode())

    # What is heard

    async def _read(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] != "websocket.receive":
                return
            self._heard_at = self._gateway.clock.monotonic()
            await self._hold_back()
            await self._take(message.get("text") or message.get("bytes") or b"")

    async def _hold_back(self) -> None:
        """Who sends faster than the limit is told once and then read more slowly."""
        now = self._gateway.clock.monotonic()
        self._allowance = min(BURST, self._allowance + (now - self._allowed_at) * MESSAGES_PER_SECOND) - 1
        self._allowed_at = now
        if self._allowance < 0:
            wait = BURST / 10 / MESSAGES_PER_SECOND
            told = {"retry_after": wait, "limit": f"{MESSAGES_PER_SECOND:g} messages per second"}
            await self._outbox.answer(Letter("CLIENT_RATE_LIMITED", ENCODER.encode(told), 0))
            await asyncio.sleep(wait)

    async def _take(self, content: str | bytes) -> None:
        reply_to = ""
        try:
            message = decoded(content, ClientMessage)
            reply_to = message.id[:128]
            verb = self._verbs.get(message.type)
            if verb is None:
                hint = nearest(message.type, self._verbs) or f"types: {', '.join(self._verbs)}"
                raise InvalidParameter(f"no message type {message.type[:80]!r}", hint=hint, target="type")
            await verb(message)
        except DSMILError as error:
            await self._answer("ERROR", problem(error), reply_to)
            if isinstance(error, PermissionDenied):
                self._end(CLOSE_FORBIDDEN, error.message[:100])

    async def _answer(self, kind: str, told: object, reply_to: str) -> None:
        await self._outbox.answer(Letter(kind, ENCODER.encode(told), 0, reply_to))

    async def _subscribe(self, message: ClientMessage) -> None:
        wanted = decoded(message.data, Subscribe)
        check(wanted, self.identity)
        if len(self._topics) >= MOST_SUBSCRIPTIONS:
            raise RateLimitError(
                f"a connection has at most {MOST_SUBSCRIPTIONS} subscriptions", retry_after=60.0
            )
        client = self._gateway.client_for(self.identity)
        await client.count_request()
        subscription_id = f"sub-{os.urandom(6).hex()}"
        confirmed = {
            "subscription_id": subscription_id,
            "subscription": wanted.subscription,
            "filters": wanted.filters,
        }
        if wanted.subscription != "device_updates":
            self._topics[subscription_id] = wanted.subscription
            await self._answer("SUBSCRIPTION_CONFIRMED", confirmed, message.id)
            return
        devices = await devices_for(
            self._gateway.client, client, wanted.filters.device_ids, wanted.filters.risk_levels
        )
        registers = chosen_registers(devices, wanted.registers)
        self._topics[subscription_id] = wanted.subscription
        confirmed |= {"devices": len(devices), "registers": registers, "interval_ms": wanted.interval_ms}
        await self._answer("SUBSCRIPTION_CONFIRMED", confirmed, message.id)
        updates = DeviceUpdates(subscription_id, wanted, self._outbox, self._feed_ended)
        self._updates[subscription_id] = updates
        updates.feed = self._gateway.push.feeds.join(
            updates.key(wanted, devices, registers), devices, updates
        )
        updates.refresh()

    async def _unsubscribe(self, message: ClientMessage) -> None:
        subscription_id = decoded(message.data, Unsubscribe).subscription_id
        if subscription_id not in self._topics:
            raise NotFound(f"no subscription {subscription_id[:80]!r}", target="subscription_id")
        told = {"subscription_id": subscription_id, "subscription": self._topics[subscription_id]}
        self._forget(subscription_id)
        await self._answer("UNSUBSCRIPTION_CONFIRMED", told, message.id)

    def _forget(self, subscription_id: str) -> None:
        self._topics.pop(subscription_id, None)
        updates = self._updates.pop(subscription_id, None)
        if updates is not None:
            updates.close()
            if updates.feed is not None:
                self._gateway.push.feeds.leave(updates.feed, updates)

    def _feed_ended(self, subscription_id: str, error: DSMILError) -> None:
        self._forget(subscription_id)
        told = problem(error) | {"subscription_id": subscription_id}
        self._outbox.news(Letter("ERROR", ENCODER.encode(told), 0))

    async def _beat(self, message: ClientMessage) -> None:
        decoded(message.data, Heartbeat)
        self._beats = True
        await self._answer("HEARTBEAT_CONFIRMED", {"timeout_s": self._heartbeat}, message.id)


def decoded(content: Any, kind: Any) -> Any:
    """A message, or its data, as a value; raises InvalidParameter that names the field."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise mistake(error, kind) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidParameter(f"the message is no JSON: {error}", hint="text frames of JSON") from None


def limited(error: RateLimitError, timestamp: str) -> str:
    """The message to somebody for whom there is no place: when to come again."""
    told = ENCODER.encode({"retry_after": error.retry_after, "limit": error.message})
    return ENCODER.encode(
        _Envelope("CLIENT_RATE_LIMITED", "push-1", msgspec.Raw(told), timestamp, 1, "server")
    ).decode()


def problem(error: DSMILError) -> dict[str, Any]:
    """An error as the data of an ERROR message."""
    details = {"hint": in_fields(error.hint), "target": in_fields(error.target)}
    return {
        "code": error.code,
        "message": error.message,
        "details": {name: text for name, text in details.items() if text},
        "retry_after": getattr(error, "retry_after", None),
    }
