"""HTTP: the transport over httpx, with a total deadline, a limit of size, and TLS that is always verified.

httpx limits the silence between two bytes, not the whole request: a body that drips would hang for ever.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from dsmilctl.client.remote.config import ClientConfig
from dsmilctl.client.remote.exchange import Incoming, Outgoing
from dsmilctl.client.remote.failures import bad_body, error_in
from dsmilctl.client.remote.tls import UNTRUSTED, tls_context
from dsmilctl.errors import NetworkError, OperationTimeout, ProtocolError

if TYPE_CHECKING:
    import httpx

LOGGER = logging.getLogger("dsmilctl.client")
KEEP_ALIVE = 300.0
CONNECT = 10.0
LONGEST_LINE = 1 << 20
_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class HttpTransport:
    """Requests over pooled keep-alive connections.  Bound to the loop that it is first used in."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.active = 0
        self.compression = config.enable_compression
        self.max_connections = config.max_connections
        self.keep_alive = KEEP_ALIVE
        self.certificate: tuple[str, str | None] | None = None

    @property
    def opened(self) -> bool:
        """Whether it was used already."""
        return self._client is not None

    async def send(self, request: Outgoing, *, deadline: float) -> Incoming:
        """The whole answer within `deadline` seconds."""
        self._open()  # loading the library must not eat up the time of the request
        self.active += 1
        try:
            async with asyncio.timeout(deadline):
                return await self._exchange(request)
        except TimeoutError:
            message = f"no whole answer of {self._config.base_url} within {deadline:.3g} s"
            raise OperationTimeout(message, hint="a larger timeout waits longer") from None
        finally:
            self.active -= 1

    async def _exchange(self, request: Outgoing) -> Incoming:
        async with self._answer(request, None) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            content = await self._content(response, headers)
            return Incoming(status=response.status_code, headers=headers, content=content)

    async def _content(self, response: httpx.Response, headers: dict[str, str]) -> bytes:
        """The body, taken apart as it comes, so that a small one cannot grow without limit."""
        coding = headers.get("content-encoding", "identity").strip().lower()
        expander = None
        if coding not in ("", "identity"):
            if not self.compression or coding not in _BITS:
                raise ProtocolError(f"the answer is compressed ({coding}), which was not asked for")
            expander = zlib.decompressobj(_BITS[coding])
        body = bytearray()
        async for part in response.aiter_raw():
            body += self._expanded(expander, part, len(body)) if expander else part
            if len(body) > self._config.max_response_bytes:
                raise ProtocolError(f"the answer is larger than {self._config.max_response_bytes:,} bytes")
        if expander and not expander.eof:
            raise ProtocolError("the compressed answer is cut short")
        return bytes(body)

    def _expanded(self, expander: Any, part: bytes, size: int) -> bytes:
        room = self._config.max_response_bytes - size + 1
        try:
            return bytes(expander.decompress(part, room))
        except zlib.error:
            raise ProtocolError("the compressed answer is damaged") from None

    async def lines(self, request: Outgoing, *, patience: float) -> AsyncGenerator[str, None]:
        """The lines of an answer that goes on, until it ends."""
        async with self._answer(request, patience) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            if response.status_code != 200:
                async with asyncio.timeout(CONNECT):
                    content = await self._content(response, headers)
                answer = Incoming(status=response.status_code, headers=headers, content=content)
                raise error_in(answer) or bad_body(answer, "no stream")
            if headers.get("content-encoding", "identity") != "identity":
                raise ProtocolError("the stream is compressed, which was not asked for")
            rest = b""
            async for part in response.aiter_raw():
                *lines, rest = (rest + part).replace(b"\r\n", b"\n").split(b"\n")
                if len(rest) > LONGEST_LINE:
                    raise ProtocolError(f"a line of the stream is longer than {LONGEST_LINE:,} bytes")
                for line in lines:
                    yield line.decode("utf-8", "replace")

    @asynccontextmanager
    async def _answer(self, request: Outgoing, patience: float | None) -> AsyncIterator[httpx.Response]:
        import httpx

        limits = httpx.Timeout(patience, connect=CONNECT, pool=None)
        coding = "gzip, deflate" if self.compression and patience is None else "identity"
        headers = {**request.headers, "Accept-Encoding": coding, "User-Agent": self._config.user_agent}
        try:
            async with self._open().stream(
                request.method, request.path, headers=headers, content=request.content, timeout=limits
            ) as response:
                yield response
        except httpx.TimeoutException as error:
            silent = NetworkError(f"{self._config.base_url} does not answer: {type(error).__name__}")
            silent.unsent = isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout)
            raise silent from None
        except httpx.TransportError as error:
            raise self._failure(error) from None

    def _failure(self, error: httpx.TransportError) -> NetworkError | ProtocolError:
        import ssl

        import httpx

        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            message = f"{self._config.base_url}: {cause}"
            untrusted = NetworkError(message, hint=UNTRUSTED, target=self._config.base_url)
            untrusted.unsent = True
            return untrusted
        what = str(error) or type(error).__name__
        if isinstance(error, httpx.DecodingError | httpx.UnsupportedProtocol):
            return ProtocolError(f"{self._config.base_url}: {what}")
        if (
            isinstance(error, httpx.RemoteProtocolError)
            and "disconnected" not in what
            and "closed" not in what
        ):
            return ProtocolError(f"{self._config.base_url}: {what}")
        broken = NetworkError(f"{self._config.base_url}: {what}", target=self._config.base_url)
        broken.unsent = isinstance(error, httpx.ConnectError)
        return broken

    def _open(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            import httpx

            self._loop = loop
            self._client = httpx.AsyncClient(
                base_url=self._config.base_url,
                verify=tls_context(self._config, self.certificate),
                trust_env=False,
                follow_redirects=False,
                limits=httpx.Limits(
                    max_connections=self.max_connections,
                    max_keepalive_connections=self.max_connections if self.keep_alive else 0,
                    keepalive_expiry=self.keep_alive or None,
                ),
            )
        return self._client

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            client, self._client = self._client, None
            if self._loop is asyncio.get_running_loop():
                await client.aclose()
