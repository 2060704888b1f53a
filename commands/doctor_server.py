"""The doctor at a server: its name, the way to it, its certificate, its clock, and the login that is kept."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dsmilctl.client.interface import Client
from dsmilctl.clock import NANOSECONDS, SYSTEM, rfc3339
from dsmilctl.commands.doctor import Finding
from dsmilctl.commands.invocation import invocation
from dsmilctl.config.contexts import Server, find_context
from dsmilctl.errors import DSMILError

if TYPE_CHECKING:
    from http.client import HTTPConnection

PATIENCE = 10.0
SKEW = 30.0
"""Seconds that a server's clock may be off before it is worth a word."""

SOON = 14
"""Days before a certificate ends in which somebody should see to it."""

HEALTH = "/api/v2/monitoring/health"


async def server_findings(client: Client) -> list[Finding]:
    """What there is to say of the server of a context; the first problem is the last thing looked at."""
    context = find_context(client.context.name)
    assert context.server is not None, "a remote context has a server"
    found: list[Finding] = []
    for look in (_name, _way, _login):
        try:
            found += await look(context.server)
        except (OSError, DSMILError) as error:
            what = str(error) or type(error).__name__
            fix = getattr(error, "hint", "") or f"is the server there? {context.server.url}"
            found.append(Finding(look.__name__.strip("_"), "problem", what, fix))
            return found
    if not any(finding.status == "problem" for finding in found):
        told = (await client.system_status())["timestamp"]
        found.append(_clock(datetime.fromisoformat(told)))
    return found


async def _name(server: Server) -> list[Finding]:
    """Whether the server's name is known."""
    parts = urlsplit(server.url)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE):
        found = await loop.getaddrinfo(parts.hostname, parts.port or 443)
    addresses = sorted({item[4][0] for item in found})
    return [Finding("name", "ok", f"{parts.hostname} is {', '.join(map(str, addresses))}")]


async def _way(server: Server) -> list[Finding]:
    """Whether the server answers, and who it proves to be."""
    begun = SYSTEM.monotonic()
    certificate = await asyncio.to_thread(_asked, server)
    elapsed = (SYSTEM.monotonic() - begun) * 1000
    found = [Finding("server", "ok", f"{server.url} answers in {elapsed:.0f} ms")]
    if server.url.startswith("https:"):
        found.append(_certificate(server, certificate))
    return found


def _asked(server: Server) -> dict[str, Any]:
    """The server's certificate; empty without TLS, or where it is not verified."""
    connection = _connection(server)
    try:
        connection.request("GET", f"{urlsplit(server.url).path.rstrip('/')}{HEALTH}")
        sock: Any = connection.sock
        certificate = sock.getpeercert() if hasattr(sock, "getpeercert") else None
        connection.getresponse()
        return certificate or {}
    finally:
        connection.close()


def _connection(server: Server) -> HTTPConnection:
    from http.client import HTTPConnection, HTTPSConnection

    parts = urlsplit(server.url)
    host = parts.hostname or "localhost"
    if parts.scheme == "http":
        return HTTPConnection(host, parts.port, timeout=PATIENCE)
    from dsmilctl.client.remote.config import ClientConfig
    from dsmilctl.client.remote.tls import tls_context

    config = ClientConfig(
        base_url=server.url,
        ca_path=server.ca or None,
        verify_ssl=not server.insecure,
        client_cert_path=server.certificate or None,
    )
    return HTTPSConnection(host, parts.port, timeout=PATIENCE, context=tls_context(config))


def _certificate(server: Server, certificate: dict[str, Any]) -> Finding:
    import ssl

    if not certificate:
        fix = f"dsmilctl context add NAME --url {server.url} --ca FILE, without --insecure"
        return Finding("certificate", "warning", "is not verified", fix)
    ends = ssl.cert_time_to_seconds(certificate["notAfter"])
    days = (ends - SYSTEM.now() / NANOSECONDS) / 86400
    message = f"verified, good until {rfc3339(int(ends) * NANOSECONDS)}"
    if days < SOON:
        return Finding("certificate", "warning", message, f"renew it: {days:.0f} days are left")
    return Finding("certificate", "ok", message)


def _clock(date: datetime) -> Finding:
    skew = date.timestamp() - SYSTEM.now() / NANOSECONDS
    if abs(skew) <= SKEW:
        return Finding("clock", "ok", "as here")
    message = f"the server's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
    return Finding("clock", "warning", message, "set one of them: codes of a second factor depend on it")


async def _login(server: Server) -> list[Finding]:
    """The login that is kept: whose, how it was made, until when its token is good."""
    del server
    from dsmilctl.client.remote.opening import environment_login, login_store

    chosen = invocation()
    if environment_login():
        return [Finding("login", "ok", "from the environment, at every command")]
    context = find_context(chosen.context)
    kept = login_store(context, chosen.settings).load()
    if kept is None:
        fix = f"dsmilctl -C {context.name} auth login"
        return [Finding("login", "problem", f"nobody is logged in to {context.target}", fix)]
    until = rfc3339(kept.expires_at)
    message = f"{kept.user.username} by {kept.source}, token good until {until} and renewed then"
    return [Finding("login", "ok", message)]
