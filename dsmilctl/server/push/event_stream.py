"""Event stream: one receiver of Server-Sent Events.  Source: WHATWG HTML, server-sent events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dsmilctl.errors import DSMILError
from dsmilctl.model.identity import Identity
from dsmilctl.server.gateway import Gateway
from dsmilctl.server.push.feeds import LINGER, Feed
from dsmilctl.server.push.outbox import Letter
from dsmilctl.server.push.ticks import ENCODER, Tick

COMMENT_EVERY = 15.0
RETRY_MS = 1000
MOST_TICKS = 64
MOST_READINGS = 20_000
SEND_DEADLINE = 30.0
"""Seconds in which a receiver has to take something, however slowly."""


class End(msgspec.Struct, frozen=True):
    """Why a stream ended: `duration`, `server_ends`, `session_ended` or `error`, and the error."""

    reason: str
    code: str = ""
    message: str = ""


class EventStream(Response):
    """The answer that goes on: events of a feed until either side ends it.

    `number` is the last event that the receiver had (None: it begins); `duration` is in seconds.
    """

    def __init__(
        self,
        gateway: Gateway,
        identity: Identity,
        token: str,
        join: Callable[[EventStream], Feed],
        *,
        number: int | None,
        duration: float | None,
    ) -> None:
        super().__init__(media_type="text/event-stream")
        del self.headers["content-length"]
        self.identity = identity
        self._gateway = gateway
        self._token = token
        self._join = join
        self._number = number
        self._duration = duration
        self._ticks: deque[Tick] = deque()
        self._readings = 0
        self._missed = 0
        self._last = 0
        self._arrived = asyncio.Event()
        self._end: End | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the receiver is gone, time is over, or the server ends."""
        del scope
        with self._gateway.seats.one(self.identity.user):
            await self._serve(receive, send)

    async def _serve(self, receive: Receive, send: Send) -> None:
        push, metrics = self._gateway.push, self._gateway.metrics
        feed = self._join(self)
        push.join(self)
        metrics.streams += 1
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        telling = asyncio.create_task(self._tell(feed, start, send))
        going = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait([telling, going], return_when=asyncio.FIRST_COMPLETED)
        finally:
            metrics.streams -= 1
            push.leave(self)
            push.feeds.leave(feed, self, linger=LINGER)
            for task in (telling, going):
                task.cancel()
            await asyncio.gather(telling, going, return_exceptions=True)

    # What a feed and the switchboard call

    def take(self, tick: Tick) -> None:
        """The next tick; the oldest one that waits makes room and is counted."""
        self._ticks.append(tick)
        self._readings += len(tick.batch.readings)
        while len(self._ticks) > 1 and (len(self._ticks) > MOST_TICKS or self._readings > MOST_READINGS):
            oldest = self._ticks.popleft()
            self._readings -= len(oldest.batch.readings)
            self._missed += len(oldest.events) if oldest.live else 0
        self._arrived.set()

    def ended(self, error: DSMILError) -> None:
        """The feed is over."""
        self._finish(End("error", error.code, error.message))

    def hear(self, letter: Letter, subscription: str = "") -> None:
        """An event stream carries readings alone."""

    def hear_emergency(self, letter: Letter) -> None:
        """An event stream carries readings alone."""

    def check(self) -> None:
        """Look whether the session goes on with the same rights."""
        try:
            now = self._gateway.access.authenticate(self._token)
        except DSMILError as error:
            self._finish(End("session_ended", error.code, error.message))
            return
        if (now.clearance, now.devices) != (self.identity.clearance, self.identity.devices):
            self._finish(End("session_ended", "PERMISSION_DENIED", "the rights of this user have changed"))

    def end(self, reason: str) -> None:
        """The server ends."""
        self._finish(End("server_ends", "", reason))

    def _finish(self, end: End) -> None:
        self._end = self._end or end
        self._arrived.set()

    # What is sent

    async def _tell(self, feed: Feed, start: dict[str, object], send: Send) -> None:
        await send(start)
        await self._send(send, b": open\n\n" + self._resumed(feed))
        loop = asyncio.get_running_loop()
        over = None if self._duration is None else loop.time() + self._duration
        comment = loop.time() + COMMENT_EVERY
        while self._end is None:
            if not self._ticks:
                await self._wait_until(comment if over is None else min(comment, over))
            if over is not None and loop.time() >= over:
                self._finish(End("duration"))
            if loop.time() >= comment:
                comment += COMMENT_EVERY
                await self._send(send, b": alive\n\n")
            await self._send_ticks(feed, send)
        closing = _event("end", self._last, ENCODER.encode(self._end))
        async with asyncio.timeout(SEND_DEADLINE):
            await send({"type": "http.response.body", "body": closing, "more_body": False})

    def _resumed(self, feed: Feed) -> bytes:
        """What was missed since the last event of the receiver, or what is known now."""
        self._last = feed.count
        if self._number is not None and feed.knows(self._number):
            ticks, gone = feed.after(self._number)
            self._last = self._number
            lost = self._gap(gone) if gone else b""
            return lost + b"".join(self._written(tick, self._number) for tick in ticks)
        lost = b"" if self._number is None else self._gap(None)
        snapshot = feed.snapshot()
        return lost + (self._written(snapshot) if snapshot else b"")

    async def _wait_until(self, moment: float) -> None:
        self._arrived.clear()
        if self._ticks or self._end is not None:
            return
        try:
            async with asyncio.timeout_at(moment):
                await self._arrived.wait()
        except TimeoutError:
            return  # the moment has come

    async def _send_ticks(self, feed: Feed, send: Send) -> None:
        if self._missed:
            gap, self._missed = self._gap(self._missed), 0
            snapshot = feed.snapshot() if feed.key.changes_only else None
            await self._send(send, gap + (self._written(snapshot) if snapshot else b""))
        while self._ticks and self._end is None:
            tick = self._ticks.popleft()
            self._readings -= len(tick.batch.readings)
            if content := self._written(tick):
                await self._send(send, content)

    def _gap(self, missed: int | None) -> bytes:
        """So many events were missed; None: nobody knows how many, as the stream begins anew."""
        self._gateway.metrics.missed += missed or 0
        return _event("gap", self._last, ENCODER.encode({"missed": missed}))

    def _written(self, tick: Tick, after: int = -1) -> bytes:
        """The events of a tick in one piece, without those up to the number `after`."""
        parts = []
        for place, (name, data) in enumerate(tick.events, 1):
            number = tick.first + place if tick.live else tick.first
            if number > after or not tick.live:
                parts.append(_event(name, number, data))
                self._last = number
        self._gateway.metrics.pushed += len(parts)
        return b"".join(parts)

    async def _send(self, send: Send, content: bytes) -> None:
        async with asyncio.timeout(SEND_DEADLINE):
            await send({"type": "http.response.body", "body": content, "more_body": True})


def _event(name: str, number: int, data: bytes) -> bytes:
    return b"event: %s\nid: %d\nretry: %d\ndata: %s\n\n" % (name.encode(), number, RETRY_MS, data)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
