"""Exchange: one request and its answer, and the seam through which they travel."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Protocol

import msgspec


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One request; `path` is below the server's address and carries the query."""

    method: str
    path: str
    headers: Mapping[str, str] = {}
    content: bytes = b""


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """One whole answer; the names of its headers are in small letters."""

    status: int
    headers: Mapping[str, str] = {}
    content: bytes = b""


class Transport(Protocol):
    """What carries requests: HTTP, or a test's memory."""

    @property
    def active(self) -> int:
        """Requests under way."""
        ...

    async def send(self, request: Outgoing, *, deadline: float) -> Incoming:
        """The answer within `deadline` seconds; raises NetworkError, OperationTimeout, ProtocolError."""
        ...

    def lines(self, request: Outgoing, *, patience: float) -> AsyncGenerator[str, None]:
        """The lines of an answer that goes on; raises NetworkError after `patience` seconds of silence.

        An answer other than 200 raises its error.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
