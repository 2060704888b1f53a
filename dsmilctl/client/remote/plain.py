"""Plain transport: the first few requests of a command by the standard library alone.

httpx takes 80 ms to load, as long as all else that a short command does.  Whoever asks for more than a few
things, or follows a stream, gets httpx after all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dsmilctl.client.remote.config import ClientConfig
from dsmilctl.client.remote.exchange import Incoming, Outgoing
from dsmilctl.client.remote.http import CONNECT, HttpTransport
from dsmilctl.client.remote.tls import UNTRUSTED, tls_context
from dsmilctl.errors import NetworkError, OperationTimeout, ProtocolError

if TYPE_CHECKING:
    from http.client import HTTPConnection

FEW = 20
"""Requests of one client that go this way."""

AT_ONCE = 4


class PlainTransport(HttpTransport):
    """A few requests over connections of `http.client`, each waited for in a thread; then HttpTransport."""

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(config)
        self._parts = urlsplit(config.base_url)
        self._idle: list[HTTPConnection] = []
        self._count = 0

    @property
    def opened(self) -> bool:
        """Whether it was used already."""
        return super().opened or self._count > 0

    async def send(self, request: Outgoing, *, deadline: float) -> Incoming:
        """The whole answer within `deadline` seconds."""
        if self._client is not None or self.compression or self._count >= FEW or self.active >= AT_ONCE:
            return await super().send(request, deadline=deadline)
        self._count += 1
        self.active += 1
        connection = self._idle.pop() if self._idle else self._connection()
        given_up = Event()
        try:
            async with asyncio.timeout(deadline):
                answer, lasts = await asyncio.to_thread(self._ask, connection, request, deadline, given_up)
            if lasts:
                self._idle.append(connection)
            return answer
        except TimeoutError:
            message = f"no whole answer of {self._config.base_url} within {deadline:.3g} s"
            raise OperationTimeout(message, hint="a larger timeout waits longer") from None
        finally:
            self.active -= 1
            given_up.set()
            _break(connection, unless=self._idle)

    def _connection(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        host, port = self._parts.hostname or "localhost", self._parts.port
        if self._parts.scheme == "https":
            context = tls_context(self._config, self.certificate)
            return HTTPSConnection(host, port, timeout=CONNECT, context=context)
        return HTTPConnection(host, port, timeout=CONNECT)

    def _ask(
        self, connection: HTTPConnection, request: Outgoing, deadline: float, given_up: Event
    ) -> tuple[Incoming, bool]:
        """One exchange, in a thread, and whether the connection may be used once more.

        Where nobody waits for it any more the connection is closed here: it may be made only afterwards.
        """
        try:
            if connection.sock is None:
                self._connect(connection, min(CONNECT, deadline))
            connection.sock.settimeout(deadline)
            return self._exchanged(connection, request)
        finally:
            if given_up.is_set():
                connection.close()

    def _connect(self, connection: HTTPConnection, patience: float) -> None:
        connection.timeout = patience
        try:
            connection.connect()
        except OSError as error:
            hint = UNTRUSTED if type(error).__name__ == "SSLCertVerificationError" else ""
            what = error.strerror or str(error) or type(error).__name__
            unreached = NetworkError(f"{self._url}: {what}", hint=hint, target=self._url)
            unreached.unsent = True
            raise unreached from None

    def _exchanged(self, connection: HTTPConnection, request: Outgoing) -> tuple[Incoming, bool]:
        from http.client import HTTPException, IncompleteRead, RemoteDisconnected

        headers = {**request.headers, "Accept-Encoding": "identity", "User-Agent": self._config.user_agent}
        most = self._config.max_response_bytes
        path = f"{self._parts.path.rstrip('/')}{request.path}"
        try:
            connection.request(request.method, path, request.content or None, headers)
            response = connection.getresponse()
            content = response.read(most + 1)
            received = {name.lower(): value for name, value in response.getheaders()}
        except (RemoteDisconnected, IncompleteRead, OSError) as error:
            what = str(error) or type(error).__name__
            raise NetworkError(f"{self._url}: {what}", target=self._url) from None
        except HTTPException as error:
            raise ProtocolError(f"{self._url}: {type(error).__name__}: {error}") from None
        if len(content) > most:
            raise ProtocolError(f"the answer is larger than {most:,} bytes")
        answer = Incoming(status=response.status, headers=received, content=content)
        _check(answer.headers, content, response.length)
        return answer, not response.will_close and response.isclosed()

    @property
    def _url(self) -> str:
        return self._config.base_url

    async def close(self) -> None:
        """Close every connection."""
        while self._idle:
            self._idle.pop().close()
        await super().close()


def _check(headers: Mapping[str, str], content: bytes, left: int | None) -> None:
    """Raise where the body is not what the headers said."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise ProtocolError(f"the answer is compressed ({coding}), which was not asked for")
    if left:
        raise NetworkError(f"the answer is cut short: {len(content)} bytes, {left} are missing")


def _break(connection: HTTPConnection, *, unless: list[HTTPConnection]) -> None:
    """Close a connection that is not idle; a thread that still waits on it is woken."""
    import socket

    if connection in unless:
        return
    if connection.sock is not None:
        with suppress(OSError):  # it was closed already
            connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
