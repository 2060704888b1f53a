"""Protocols: uvicorn's, with deadlines for clients that send slowly, take nothing, or go without a word."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from dsmilctl.clock import SYSTEM, rfc3339
from dsmilctl.server.exchange import Exchange
from dsmilctl.server.strangers import ACQUAINTED, is_one_too_many

HEAD_DEADLINE = 10.0
"""Seconds in which the head of a request has to arrive, from its first byte or the connection's beginning."""
LARGEST_HEAD = 65_536
"""Bytes that the head of a request may have."""
REST_DEADLINE = 1.0
"""Seconds that a client has to end a body that was answered before its end."""
MOST_DISCARDED = 1 << 20
"""Bytes of such a body that are taken and thrown away, so that the client gets to read the answer."""
LAST_BYTES_DEADLINE = 5.0
"""Seconds that a receiver has to take what was said last."""
MOST_CONNECTIONS = 8192
PAUSE = 5
"""Seconds after which an address with too many connections may try again."""


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 with limits: the size of a head, and deadlines for it and for the rest of an unread body."""

    acquainted = False
    """Whether somebody who is logged in has asked over this connection."""
    _deadline: asyncio.TimerHandle | None = None
    _in_head = False
    _in_body = False
    _upgraded = False
    _head_size = 0
    _discarded = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Somebody connects: the head of the first request is due."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        elif is_one_too_many(self, self.connections):
            self._turn_away()
        self._due(HEAD_DEADLINE)

    def _turn_away(self) -> None:
        """Say to an address with too many connections when it may try again."""
        gateway = getattr(self.config.loaded_app, "gateway", None)
        if gateway is not None:
            gateway.seats.refused["address"] += 1
        body = _envelope("too many connections of this address have not logged in", "RATE_LIMITED", PAUSE)
        head = (
            "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\n"
            f"retry-after: {PAUSE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Something came: whatever is unfinished afterwards has a deadline that more bytes do not move."""
        if self._answered_early():
            self._discarded += len(data)
            if self._discarded > MOST_DISCARDED:
                self.transport.abort()
                return
        elif self._in_head:
            self._head_size += len(data)
            if self._head_size > LARGEST_HEAD:
                self.send_400_response(f"a head may have {LARGEST_HEAD:,} bytes")
                return
        super().data_received(data)
        if self._in_head or self._waits_without_limit():
            self._due(HEAD_DEADLINE)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head, self._head_size = True, 0

    def on_headers_complete(self) -> None:
        """The head of a request is there; raises ValueError, which the parser turns into a failure."""
        self._in_head, self._in_body = False, True
        self._met()
        if sum(len(name) + len(value) for name, value in self.headers) > LARGEST_HEAD:
            raise ValueError("a head beyond the limit")
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, Exchange(cycle, app))

    def on_message_complete(self) -> None:
        """A request is complete; one that was answered before may be followed by another."""
        if self._answered_early():
            self._wait_for_next()
        self._in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is complete; a body that is still on its way has to end, or the connection does."""
        self.acquainted = self.acquainted or ACQUAINTED in self.scope
        super().on_response_complete()
        if self._answered_early():
            self._due(REST_DEADLINE)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._met()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """The head was that of a WebSocket, which has deadlines of its own."""
        self._met()
        self._upgraded = True
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, or has a head beyond the limit, gets the envelope of every failure."""
        self._met()
        if self._answering():
            self.transport.abort()
            return
        body = _envelope(msg)
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _answering(self) -> bool:
        """Whether the beginning of an answer is out already: nothing else can be said then."""
        cycle = self.cycle
        return cycle is not None and cycle.response_started and not cycle.response_complete

    def _answered_early(self) -> bool:
        """Whether a request was answered whose body is still on its way."""
        return self._in_body and self.cycle is not None and self.cycle.response_complete

    def _waits_without_limit(self) -> bool:
        """Whether what came began no request, and ended the limit of an idle connection (empty lines)."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and not (self._in_body or self._upgraded or self.timeout_keep_alive_task)

    def _wait_for_next(self) -> None:
        self._met()
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _due(self, seconds: float) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _met(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _envelope(message: str, code: str = "INVALID_PARAMETER", retry_after: int | None = None) -> bytes:
    problem: dict[str, Any] = {
        "code": code,
        "message": message,
        "details": {},
        "timestamp": rfc3339(SYSTEM.now()),
        "request_id": "",
        "retry_after": retry_after,
    }
    return json.dumps({"error": problem}).encode()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """WebSockets; a receiver that takes nothing is cut off when nothing more is to be said to it."""

    def keepalive_timeout(self) -> None:
        """Nobody answered a ping."""
        super().keepalive_timeout()
        self._cut_off(0.0)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """The application is done with this connection."""
        super().on_task_complete(task)
        self._cut_off(LAST_BYTES_DEADLINE)

    def _cut_off(self, seconds: float) -> None:
        if self.transport.get_write_buffer_size():
            self.loop.call_later(seconds, self.transport.abort)


def keep_alive(listener: socket.socket) -> None:
    """Let the system end connections whose peer is gone or takes nothing for half a minute.

    Connections inherit this from the socket that accepts them.  Source: tcp(7).
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wanted: dict[str, Any] = {
        "TCP_KEEPIDLE": 10,
        "TCP_KEEPINTVL": 5,
        "TCP_KEEPCNT": 2,
        "TCP_USER_TIMEOUT": 30_000,
    }
    for name, value in wanted.items():
        if (option := getattr(socket, name, None)) is not None:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
