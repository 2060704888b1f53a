"""Fast stop: an emergency stop over the network with the standard library alone.

httpx takes 60 ms to import; a stop by http.client is under way before that.
"""

from __future__ import annotations

import asyncio
import os

import msgspec

from dsmilctl.client.remote.config import ClientConfig
from dsmilctl.client.remote.exchange import Incoming, Outgoing
from dsmilctl.client.remote.failures import bad_body, error_in
from dsmilctl.client.remote.mapping import stop_of
from dsmilctl.client.remote.plain import PlainTransport
from dsmilctl.clock import SYSTEM
from dsmilctl.errors import NetworkError
from dsmilctl.model.emergency import Stop
from dsmilctl.wire.emergency import StopInfo, StopRequest

PATH = "/api/v2/emergency/stop"
PAUSE = 0.1
"""Seconds between two attempts to reach the server."""


async def stop_by_thread(config: ClientConfig, token: str, wanted: StopRequest, *, deadline: float) -> Stop:
    """Order the stop from a thread; raises what the server says, NetworkError or OperationTimeout.

    A server that is not reached, or a connection that is cut, is tried again until the stop's own deadline
    is over, always with the same key, so that it is one stop.
    """
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": os.urandom(16).hex(),
    }
    request = Outgoing(method="POST", path=PATH, headers=headers, content=msgspec.json.encode(wanted))
    begun = SYSTEM.monotonic()
    last, ends = begun + (wanted.deadline_s or PAUSE), begun + deadline
    while True:
        try:
            answer = await _sent(config, request, max(PAUSE, ends - SYSTEM.monotonic()))
            break
        except NetworkError as error:
            if error.hint or SYSTEM.monotonic() + PAUSE >= last:  # a hint: it is no use to try again
                raise
        await asyncio.sleep(PAUSE)
    if (refusal := error_in(answer)) is not None:
        raise refusal
    try:
        return stop_of(msgspec.json.decode(answer.content, type=StopInfo))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise bad_body(answer, str(problem)) from None


async def _sent(config: ClientConfig, request: Outgoing, deadline: float) -> Incoming:
    """The answer, over a connection of its own."""
    transport = PlainTransport(config)
    transport.compression = False  # it would take the library
    try:
        return await transport.send(request, deadline=deadline)
    finally:
        await transport.close()
