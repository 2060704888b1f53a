"""Serving: the application on a socket, with uvicorn, until somebody ends it."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from ipaddress import ip_address
from typing import Any

import msgspec
import uvicorn

from dsmilctl.errors import ConfigError, Conflict, UsageError
from dsmilctl.server.protocol import HttpProtocol, WebSocketProtocol, keep_alive

BACKLOG = 2048
GRACE_SECONDS = 5
CERTIFICATE_HINT = (
    "all are files in PEM; a certificate for tests: openssl req -x509 -newkey rsa:3072 -nodes -days 90 "
    "-subj /CN=localhost -addext subjectAltName=DNS:localhost -out cert.pem -keyout key.pem"
)
LARGEST_MESSAGE = 1 << 20
"""Bytes of a WebSocket message."""
PING_SECONDS = 10.0
"""Between two pings of a WebSocket, and how long the answer may take: who is gone is let go after both."""


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how a server listens; port 0 takes a free one.

    `certificate`, `key` and `client_authority` are files in PEM; with `client_authority` a client that has a
    certificate must prove it (mutual TLS).  `insecure` lets a server without TLS listen beyond loopback.
    """

    host: str = "127.0.0.1"
    port: int = 0
    certificate: str = ""
    key: str = ""
    client_authority: str = ""
    insecure: bool = False

    @property
    def scheme(self) -> str:
        """`https` with a certificate."""
        return "https" if self.certificate else "http"


def check_listening(listening: Listening) -> None:
    """Raise UsageError for a server without TLS whose words ask for it, or that others can listen to."""
    if not listening.certificate:
        for option, file in (("--tls-key", listening.key), ("--client-ca", listening.client_authority)):
            if file:
                message = f"{option} is good for nothing without --tls-cert: there would be no TLS"
                raise UsageError(message, hint="--tls-cert FILE", target=option)
    if listening.certificate or listening.insecure or is_loopback(listening.host):
        return
    raise UsageError(
        f"listening on {listening.host} without TLS would send passwords in the clear",
        hint="--tls-cert and --tls-key, or --insecure if the network is trusted",
        target="--host",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def bind(listening: Listening) -> socket.socket:
    """The socket; raises Conflict where somebody else listens, UsageError where nobody can."""
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    # with its protocol named: asyncio turns Nagle's delay (40 ms an answer) off only then
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((listening.host, listening.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise _cannot_listen(listening, error) from error
    sock.setblocking(False)
    keep_alive(sock)
    return sock


def _cannot_listen(listening: Listening, error: OSError) -> Conflict | UsageError:
    """What is wrong: the port is taken, or not for this user, or the host is none of this machine."""
    where = f"{listening.host}:{listening.port}"
    if error.errno == errno.EADDRINUSE:
        return Conflict(f"{where}: {error.strerror}", hint="--port 0 takes a free one", target=where)
    message = f"cannot listen on {where}: {error.strerror or error}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return UsageError(message, hint="ports below 1024 are for root: --port 8443", target="--port")
    return UsageError(message, hint="--host takes an address of this machine", target="--host")


async def serve(
    app: Any,
    listening: Listening,
    ready: Callable[[str], None],
    beside: AbstractAsyncContextManager[None] | None = None,
) -> None:
    """Serve until the task is cancelled; `ready` is told the URL when connections are taken.

    `beside` is entered when the devices can be asked, and left before they cannot.
    """
    check_listening(listening)
    config = _config(app, listening)
    # Here, and not when uvicorn begins: a driver that cannot be opened is told as what it is.
    async with app.state.gateway.client, beside or nullcontext():
        await _serve(app, listening, config, ready)


async def _serve(
    app: Any, listening: Listening, config: uvicorn.Config, ready: Callable[[str], None]
) -> None:
    sock = bind(listening)
    host, port = sock.getsockname()[:2]
    url = f"{listening.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined] # ours are those of the command
    running = asyncio.create_task(server._serve([sock]))
    try:
        while not server.started and not running.done():
            await asyncio.sleep(0.005)
        if not running.done():
            ready(url)
        await asyncio.shield(running)
    finally:
        try:
            await app.state.gateway.push.close()
            server.should_exit = True
            await running
        finally:
            sock.close()  # also when somebody is too impatient to wait for the end


def _config(app: Any, listening: Listening) -> uvicorn.Config:
    protocol: type[HttpProtocol] = HttpProtocol
    if listening.certificate:
        from dsmilctl.server.tls import CertifiedProtocol

        protocol = CertifiedProtocol
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        date_header=False,
        proxy_headers=False,  # whoever may claim another address may hide from the security log
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ws_max_size=LARGEST_MESSAGE,
        ws_max_queue=64,
        http=protocol,
        ws=WebSocketProtocol,
        log_level="warning",  # what uvicorn says below that names whole URLs, and with them tokens
        ws_per_message_deflate=False,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
    )
    if listening.certificate:
        config.load()
        config.ssl = _tls(listening)
    return config


def _tls(listening: Listening) -> ssl.SSLContext:
    """The server's side of TLS; raises ConfigError for files that cannot be used."""
    from dsmilctl.server.tls import server_context

    try:
        return server_context(listening.certificate, listening.key, listening.client_authority)
    except OSError as error:  # an SSLError is one, too
        message = f"TLS cannot be set up with {listening.certificate}: {error.strerror or error}"
        raise ConfigError(message, hint=CERTIFICATE_HINT, target="--tls-cert") from error
