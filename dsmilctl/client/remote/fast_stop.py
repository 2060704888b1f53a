"""Fast stop: an emergency stop over the network with the standard library alone.

httpx takes 60 ms to import; a stop by http.client is under way before that.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import sleep
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from dsmilctl.client.remote.config import ClientConfig
from dsmilctl.client.remote.exchange import Incoming
from dsmilctl.client.remote.failures import bad_body, error_in
from dsmilctl.client.remote.mapping import stop_of
from dsmilctl.client.remote.tls import UNTRUSTED
from dsmilctl.clock import SYSTEM
from dsmilctl.errors import NetworkError, OperationTimeout, ProtocolError
from dsmilctl.model.emergency import Stop
from dsmilctl.wire.emergency import StopInfo, StopRequest

if TYPE_CHECKING:
    from http.client import HTTPConnection

PATH = "/api/v2/emergency/stop"
PAUSE = 0.1
"""Seconds between two attempts to reach the server."""


async def stop_by_thread(config: ClientConfig, token: str, wanted: StopRequest, *, deadline: float) -> Stop:
    """Order the stop from a thread; raises what the server says, NetworkError or OperationTimeout.

    A server that is not reached is tried again until the stop's own deadline is over, always with the same
    key, so that it is one stop.
    """
    import asyncio

    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "Idempotency-Key": os.urandom(16).hex(),
        "User-Agent": config.user_agent,
    }
    content = msgspec.json.encode(wanted)
    try:
        async with asyncio.timeout(deadline):
            tries = wanted.deadline_s or PAUSE
            return await asyncio.to_thread(_order, config, content, headers, tries, deadline)
    except TimeoutError:
        raise OperationTimeout(f"no answer of {config.base_url} within {deadline:.3g} s") from None


def _order(
    config: ClientConfig, content: bytes, headers: Mapping[str, str], tries: float, deadline: float
) -> Stop:
    ends = SYSTEM.monotonic() + tries
    while True:
        try:
            return _once(config, content, headers, deadline)
        except NetworkError as error:
            if error.hint or SYSTEM.monotonic() + PAUSE >= ends:  # a hint: it is no use to try again
                raise
        sleep(PAUSE)


def _once(config: ClientConfig, content: bytes, headers: Mapping[str, str], deadline: float) -> Stop:
    from http.client import HTTPException

    parts = urlsplit(config.base_url)
    connection = _connection(config, deadline)
    try:
        connection.request("POST", f"{parts.path.rstrip('/')}{PATH}", content, dict(headers))
        response = connection.getresponse()
        body = response.read(config.max_response_bytes + 1)
        received = {name.lower(): value for name, value in response.getheaders()}
        answer = Incoming(status=response.status, headers=received, content=body)
    except TimeoutError:
        raise OperationTimeout(f"no answer of {config.base_url} within {deadline:.3g} s") from None
    except HTTPException as error:
        raise ProtocolError(f"{config.base_url}: {type(error).__name__}: {error}") from None
    except OSError as error:
        hint = UNTRUSTED if type(error).__name__ == "SSLCertVerificationError" else ""
        message = f"{config.base_url}: {error.strerror or error}"
        raise NetworkError(message, hint=hint, target=config.base_url) from None
    finally:
        connection.close()
    if (refusal := error_in(answer)) is not None:
        raise refusal
    try:
        return stop_of(msgspec.json.decode(answer.content, type=StopInfo))
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise bad_body(answer, str(problem)) from None


def _connection(config: ClientConfig, deadline: float) -> HTTPConnection:
    from http.client import HTTPConnection, HTTPSConnection

    parts = urlsplit(config.base_url)
    host = parts.hostname or "localhost"
    if parts.scheme == "https":
        from dsmilctl.client.remote.tls import tls_context

        return HTTPSConnection(host, parts.port, timeout=deadline, context=tls_context(config))
    return HTTPConnection(host, parts.port, timeout=deadline)
