"""Recording: a server keeps the readings of its devices in an archive of its own while it serves."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from dsmilctl import __version__
from dsmilctl.archive.recorder import Recorder
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from dsmilctl.client.local import LocalClient
from dsmilctl.clock import SYSTEM
from dsmilctl.model.device import Device

LOGGER = logging.getLogger("dsmilctl.server")
NAME = "serve"
"""What such a recording is called."""


@asynccontextmanager
async def recording(client: LocalClient, store: Store, interval: float) -> AsyncIterator[None]:
    """Record every device while the block runs; quarantined ones are left alone.

    Raises Conflict where another recorder has the archive.  A recorder that fails later is logged, and the
    server goes on.
    """
    with store:
        for left in store.aborted:
            LOGGER.warning("recording %s was not ended: it is marked aborted", left)
        devices = await client.devices()
        begun = new_recording(
            NAME, SYSTEM.now(), operator=client.identity.user, host=os.uname().nodename,
            context=client.context.name, versions={"dsmilctl": __version__},
        )  # fmt: skip
        writer = store.begin(begun)
        recorder = Recorder(client, writer, begun.started)
        work = asyncio.create_task(recorder.run(devices, registers_of(devices), interval=interval))
        work.add_done_callback(_told)
        try:
            yield
        finally:
            failed = work.done()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            status = "failed" if failed else "completed"
            await asyncio.to_thread(store.end, writer, status, "" if failed else "the server ended")


def registers_of(devices: Sequence[Device]) -> tuple[str, ...]:
    """What is recorded: the default register and the key registers of any of the devices."""
    names: dict[str, None] = {}
    for device in devices:
        names |= dict.fromkeys(filter(None, (device.default_register, *device.key_registers)))
    known = {register.name for device in devices for register in device.registers if register.readable}
    return tuple(name for name in names if name in known)


def _told(work: asyncio.Task[None]) -> None:
    if not work.cancelled() and (error := work.exception()) is not None:
        LOGGER.error("the server records no longer: %s", error, exc_info=error)
