"""The piece between uvicorn and the application: whole bodies without waiting, whole answers in one write."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from starlette.responses import Response
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from dsmilctl.server.exchange import WHOLE_BODY, Exchange


class Wire(asyncio.Transport):
    """A transport that keeps what is written, a piece per write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep a piece."""
        self.written.append(bytes(data))

    def close(self) -> None:
        """Nothing to close."""


def cycle_on(wire: Wire, method: str = "GET") -> RequestResponseCycle:
    """A cycle of uvicorn as its protocol makes it, of a request without a body."""
    scope: Any = {"type": "http", "method": method, "headers": [], "path": "/"}
    logger = logging.getLogger("uvicorn.error")
    return RequestResponseCycle(
        scope=scope, transport=wire, flow=FlowControl(wire), logger=logger, access_logger=logger,
        access_log=False, default_headers=[], message_event=asyncio.Event(), expect_100_continue=False,
        keep_alive=True, on_response=lambda: None,
    )  # fmt: skip


async def serve(cycle: RequestResponseCycle, app: Any) -> None:
    """Run an application through an exchange, as the protocol does."""
    await cycle.run_asgi(Exchange(cycle, app))


async def test_an_answer_that_is_whole_is_written_in_one_piece() -> None:
    wire = Wire()
    cycle = cycle_on(wire)

    await serve(cycle, Response(b"hello", headers={"x-name": "value"}))

    (piece,) = wire.written
    assert piece.startswith(b"HTTP/1.1 200 OK\r\nx-name: value\r\n")
    assert piece.endswith(b"\r\n\r\nhello")
    assert cycle.response_complete


async def test_the_head_of_an_answer_to_head_brings_no_body() -> None:
    wire = Wire()

    await serve(cycle_on(wire, "HEAD"), Response(b"hello"))

    assert b"content-length: 5\r\n" in b"".join(wire.written)
    assert not b"".join(wire.written).endswith(b"hello")


async def test_parts_of_an_answer_that_goes_on_are_written_as_they_come() -> None:
    wire, seen = Wire(), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"one", b"two"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            seen.append(b"".join(wire.written))
        await send({"type": "http.response.body", "body": b""})

    await serve(cycle_on(wire), app)

    assert seen[0].endswith(b"3\r\none\r\n")
    assert seen[1].endswith(b"3\r\none\r\n3\r\ntwo\r\n")
    assert b"".join(wire.written).endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nset-cookie: b", b"a\rb"])
async def test_a_header_that_would_bring_another_one_along_is_never_written(value: bytes) -> None:
    wire, cycle_log = Wire(), logging.getLogger("uvicorn.error")
    cycle_log.disabled = True
    try:
        response = Response(b"hello")
        response.raw_headers.append((b"x-name", value))
        await serve(cycle_on(wire), response)
    finally:
        cycle_log.disabled = False

    assert b"set-cookie" not in b"".join(wire.written)
    assert value not in b"".join(wire.written)


async def test_an_answer_of_another_length_than_it_says_is_never_written_whole() -> None:
    wire = Wire()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"3")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"hello"})

    logging.getLogger("uvicorn.error").disabled = True
    try:
        await serve(cycle_on(wire), app)
    finally:
        logging.getLogger("uvicorn.error").disabled = False

    assert b"hello" not in b"".join(wire.written)


async def test_a_body_is_given_whole_only_when_all_of_it_is_there_and_only_once() -> None:
    cycle, given = cycle_on(Wire(), "POST"), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        whole = scope["extensions"][WHOLE_BODY]
        cycle.body += b"half "
        given.append(whole())
        cycle.body += b"and half"
        cycle.more_body = False
        given.extend([whole(), whole()])
        await Response(b"")(scope, receive, send)

    await serve(cycle, app)

    assert given == [None, b"half and half", b""]
