"""Bad days: what a network or a proxy in front of a server may do to the next requests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class BadDay(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one request: another answer, a delay in seconds, or an answer that is lost."""

    status: int = 0
    content: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    lost: bool = False
    path: str = ""


class BadDays:
    """An application behind a network that misbehaves as it was told, once for each time it was told."""

    def __init__(self, app: Any) -> None:
        self._app: App = app
        self.state = app.state
        self.coming: deque[BadDay] = deque()
        self.requests: list[tuple[str, str]] = []
        self.connections = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection or request."""
        if scope["type"] != "http":
            self.connections += scope["type"] == "websocket"
            await self._app(scope, receive, send)
            return
        self.requests.append((str(scope["method"]), str(scope["path"])))
        day = self._take(str(scope["path"]))
        if day is None:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(day.delay)
        if day.lost:
            await self._lose(scope, receive, send)
        elif day.status:
            await self._answer(day, send)
        else:
            await self._app(scope, receive, send)

    def _take(self, path: str) -> BadDay | None:
        for day in self.coming:
            if day.path in path:
                self.coming.remove(day)
                return day
        return None

    async def _lose(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request is carried out; its answer ends in mid-body."""

        async def swallow(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(name, value) for name, value in message["headers"] if name != b"content-length"]
                await send({**message, "headers": [*headers, (b"content-length", b"100000")]})
                await send({"type": "http.response.body", "body": b"{", "more_body": True})

        await self._app(scope, receive, swallow)
        raise ConnectionAbortedError("the answer is lost, as the test wanted")

    async def _answer(self, day: BadDay, send: Send) -> None:
        headers = [(name.encode(), value.encode()) for name, value in day.headers]
        await send({"type": "http.response.start", "status": day.status, "headers": headers})
        await send({"type": "http.response.body", "body": day.content})
