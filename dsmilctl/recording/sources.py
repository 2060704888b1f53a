"""Sources: what a program's recording listens to: a context's devices, and the machine under it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack

import msgspec

from dsmilctl.archive.kernel import KernelMonitor
from dsmilctl.archive.limits import Limits
from dsmilctl.archive.machine import MachineMonitor
from dsmilctl.archive.recorder import Monitor, Recorder
from dsmilctl.archive.writer import Writer
from dsmilctl.client.interface import Client
from dsmilctl.config.settings import Settings, load_settings
from dsmilctl.errors import DeviceNotFound
from dsmilctl.model.device import Device
from dsmilctl.model.selector import EVERYTHING, parse_selector

LOGGER = logging.getLogger("dsmilctl.recording")
HOST, KERNEL = "host", "kernel"


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded: devices and registers every `interval` seconds, and what of the machine."""

    devices: str = ""
    registers: tuple[str, ...] = ()
    interval: float = 1.0
    host_metrics: bool = False
    kernel: bool = False

    async def chosen(self, client: Client) -> list[Device]:
        """The devices; raises DeviceNotFound where there are none."""
        found = await client.devices(parse_selector(self.devices) if self.devices else EVERYTHING)
        if not found:
            raise DeviceNotFound(f"{self.devices or '@all'} names no device", hint="dsmilctl device list")
        return found

    async def recorder(
        self, client: Client, writer: Writer, begun: int, devices: Sequence[Device], stack: AsyncExitStack
    ) -> Recorder:
        """What follows the client, as the settings say; `stack` closes what else is opened for it."""
        settings = load_settings()
        limits = Limits(
            client, writer, devices, critical=settings.archive.critical_temperature,
            stops=settings.archive.limit_action == "stop", deadline=settings.stop_deadline,
        )  # fmt: skip
        return Recorder(
            client, writer, begun, journal_interval=settings.archive.journal_interval,
            response_interval=settings.archive.response_interval, limits=limits,
            monitors=await self._monitors(client, writer, limits, settings, stack),
        )  # fmt: skip

    async def _monitors(
        self, client: Client, writer: Writer, limits: Limits, settings: Settings, stack: AsyncExitStack
    ) -> list[Monitor]:
        if not (self.host_metrics or self.kernel):
            return []
        machine, parts = await _machine(client, stack)
        found: list[Monitor] = []
        if self.host_metrics:
            found.append(
                MachineMonitor(
                    machine, writer, parts, interval=settings.archive.host_interval,
                    critical=settings.archive.critical_temperature, seen=limits.sensor,
                )
            )  # fmt: skip
        speaker = next((part for part in parts if part.device_id == KERNEL), None)
        if self.kernel and speaker is not None:
            interval = settings.archive.kernel_interval
            found.append(KernelMonitor(machine, writer, speaker, interval=interval))
        elif self.kernel:
            LOGGER.warning("the kernel's messages cannot be read here: dsmilctl doctor says why")
        return found


async def _machine(client: Client, stack: AsyncExitStack) -> tuple[Client, list[Device]]:
    """The client that reaches this machine's parts, and these; the context's own where it has some."""
    own = [device for device in await client.devices() if device.driver == HOST]
    if own:
        return client, own
    from dsmilctl.client.connecting import connect

    machine = await stack.enter_async_context(connect("local"))
    return machine, await machine.devices()
