"""What is told or waited for without an operation of its own is limited and guarded like one."""

from __future__ import annotations

import socket

import pytest

from dsmilctl.server import protocol
from tests.server.served import Served

REQUEST = b"GET /api/v2/monitoring/health HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("before", [b"", REQUEST], ids=["at the beginning", "after a request"])
def test_empty_lines_keep_no_connection_open(
    served: Served, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_DEADLINE", 0.5)
    with served.socket() as connection:
        connection.sendall(before)
        answered = connection.recv(65536) if before else b""
        connection.sendall(b"\r\n")
        with_rest = answered + until_closed(connection)

    assert with_rest.count(b"HTTP/1.1 200") == bool(before)


def until_closed(connection: socket.socket) -> bytes:
    """What the server says until it closes the connection, however it does; fails if it never does."""
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionError:
        pass  # cut off
    return found
