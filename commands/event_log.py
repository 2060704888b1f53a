"""Event log: what happens in the fleet while a command runs, told by its log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from dsmilctl.client.interface import Client
from dsmilctl.model.device import show_id
from dsmilctl.model.event import Event, Severity
from dsmilctl.model.reading import Gap

LOGGER = logging.getLogger("dsmilctl.fleet")
LEVELS = {
    Severity.DEBUG: logging.DEBUG,
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
    Severity.CRITICAL: logging.CRITICAL,
}


@asynccontextmanager
async def events_logged(client: Client) -> AsyncIterator[None]:
    """Log the events of a client while this is entered; costs nothing where nobody reads them.

    Those of a server are not asked for: they would take a connection of their own.
    """
    if not LOGGER.isEnabledFor(logging.INFO) or client.context.kind == "remote":
        yield
        return
    following = asyncio.create_task(_follow(client.events()))
    try:
        yield
        await asyncio.sleep(0)  # what was announced last is told, too
    finally:
        following.cancel()


async def _follow(events: AsyncGenerator[Event | Gap, None]) -> None:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Event):
                about = {} if event.device_id is None else {"subject": show_id(event.device_id)}
                LOGGER.log(LEVELS[event.severity], event.message, extra=about)
