"""Exchange: one request and its answer on a connection, each in one piece where it can be."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

WHOLE_BODY = "dsmilctl.body"
"""The extension of a scope that gives the body where all of it is there, and None where some is to come."""


class Exchange:
    """An application around another one, for one cycle of uvicorn.

    It spares two things: to wait, with a deadline, for a body that came along with its head, and to write
    the head and the body of an answer to the socket one after the other.
    """

    __slots__ = ("_app", "_cycle", "_head")

    def __init__(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._cycle = cycle
        self._app = app
        self._head: Any = None

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """What the application makes of the request; what it says goes through here."""
        del send
        scope.setdefault("extensions", {})[WHOLE_BODY] = self.whole_body
        return self._app(scope, receive, self.send)

    def whole_body(self) -> bytes | None:
        """The body, which is taken then; None while some of it is on its way."""
        cycle = self._cycle
        if cycle.more_body or cycle.disconnected:
            return None
        cycle.flow.resume_reading()
        cycle.message_event.clear()
        body, cycle.body = bytes(cycle.body), bytearray()
        return body

    async def send(self, message: Any) -> None:
        """Say a part of the answer; the head waits for the first part of the body."""
        head, self._head = self._head, None
        if head is None:
            if self._cycle.response_started:
                await self._cycle.send(message)
            else:
                self._head = message
        elif not self._said_whole(head, message):
            await self._cycle.send(head)
            await self._cycle.send(message)

    def _said_whole(self, head: Any, message: Any) -> bool:
        """Say an answer in one piece; False for one that is none, or that uvicorn has to look at."""
        cycle, body = self._cycle, message.get("body", b"")
        headers = [*cycle.default_headers, *head["headers"]]
        plain = cycle.keep_alive and not (cycle.disconnected or cycle.flow.write_paused or cycle.access_log)
        if not plain or message.get("more_body") or cycle.scope["method"] == "HEAD":
            return False
        if (b"content-length", b"%d" % len(body)) not in headers:
            return False
        block = b"".join([b"%b: %b\r\n" % header for header in headers])
        if not block.count(b"\r") == block.count(b"\n") == len(headers) or b"connection: " in block:
            return False  # no header may bring another one along, or end the connection
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(b"".join((STATUS_LINE[head["status"]], block, b"\r\n", body)))
        cycle.message_event.set()
        cycle.on_response()
        del cycle.scope["extensions"][WHOLE_BODY]  # else this and the cycle would hold each other
        return True
