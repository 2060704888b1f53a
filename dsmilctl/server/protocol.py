"""Protocols: uvicorn's, with deadlines for clients that send slowly, take nothing, or go without a word."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from dsmilctl.clock import SYSTEM, rfc3339

HEAD_DEADLINE = 10.0
"""Seconds in which the head of a request has to arrive, from its first byte or the connection's beginning."""
REST_DEADLINE = 1.0
"""Seconds that a client has to end a body that was answered before its end."""
MOST_DISCARDED = 1 << 20
"""Bytes of such a body that are taken and thrown away, so that the client gets to read the answer."""
LAST_BYTES_DEADLINE = 5.0
"""Seconds that a receiver has to take what was said last."""
MOST_CONNECTIONS = 8192


class HttpProtocol(H11Protocol):
    """HTTP/1.1 with deadlines for the head of a request and for the rest of a body that nobody reads."""

    _deadline: asyncio.TimerHandle | None = None
    _discarded = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Somebody connects: the head of the first request is due."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        self._due(HEAD_DEADLINE)

    def data_received(self, data: bytes) -> None:
        """Something came: whatever is unfinished afterwards has a deadline that more bytes do not move."""
        if self._answered_early():
            self._discarded += len(data)
            if self._discarded > MOST_DISCARDED:
                self.transport.abort()
                return
        super().data_received(data)
        awaiting_head = self.conn.their_state is h11.IDLE
        if awaiting_head and self.conn.trailing_data[0]:
            self._due(HEAD_DEADLINE)
        elif not awaiting_head and not self._answered_early():
            self._met()

    def on_response_complete(self) -> None:
        """An answer is complete; a body that is still on its way has to end, or the connection does."""
        super().on_response_complete()
        if self._answered_early():
            self._due(REST_DEADLINE)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._met()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """The head was that of a WebSocket, which has deadlines of its own."""
        self._met()
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, or has a head beyond the limit, gets the envelope of every failure."""
        self._met()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        body = _envelope(msg)
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        response = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _answered_early(self) -> bool:
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY

    def _due(self, seconds: float) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _met(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _envelope(message: str) -> bytes:
    problem: dict[str, Any] = {
        "code": "INVALID_PARAMETER",
        "message": message,
        "details": {},
        "timestamp": rfc3339(SYSTEM.now()),
        "request_id": "",
        "retry_after": None,
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
