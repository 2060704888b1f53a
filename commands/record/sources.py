"""Sources: what a recording listens to: its devices, the machine under it, and what it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import msgspec

from dsmilctl import diagnostics
from dsmilctl.client.interface import Client
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.record.options import RunOptions
from dsmilctl.commands.targets import selector_of
from dsmilctl.errors import DeviceNotFound
from dsmilctl.model.device import Device

if TYPE_CHECKING:
    from dsmilctl.archive.expression import Expression
    from dsmilctl.archive.limits import Limits
    from dsmilctl.archive.recorder import Monitor
    from dsmilctl.archive.trigger import Trigger
    from dsmilctl.archive.writer import Writer

HOST = "host"
"""The driver of the machine itself."""


class Sources(msgspec.Struct):
    """What is listened to: `devices` of `client`, and `parts` of the machine by way of another client."""

    client: Client
    devices: Sequence[Device]
    registers: Sequence[str]
    machine: Client
    parts: Sequence[Device]
    expression: Expression | None = None

    def limits(self, writer: Writer) -> Limits:
        """What judges values, as the settings say."""
        from dsmilctl.archive.limits import Limits

        settings = invocation().settings
        return Limits(
            self.client, writer, self.devices, critical=settings.archive.critical_temperature,
            stops=settings.archive.limit_action == "stop", deadline=settings.stop_deadline,
        )  # fmt: skip

    def trigger(self, options: RunOptions, writer: Writer) -> Trigger | None:
        """What lets readings through only around events, where that was asked for."""
        from dsmilctl.archive.trigger import Trigger

        if self.expression is None:
            return None
        room = invocation().settings.archive.ring_readings
        return Trigger(self.expression, writer, pre=options.pre_trigger, post=options.post_trigger, room=room)

    def monitors(self, options: RunOptions, writer: Writer, limits: Limits) -> list[Monitor]:
        """What looks at the machine, as far as that was asked for."""
        from dsmilctl.archive.kernel import KernelMonitor
        from dsmilctl.archive.machine import MachineMonitor

        settings = invocation().settings.archive
        found: list[Monitor] = []
        if options.host_metrics:
            found.append(
                MachineMonitor(
                    self.machine, writer, self.parts, interval=settings.host_interval,
                    critical=settings.critical_temperature, seen=limits.sensor,
                )
            )  # fmt: skip
        kernel = next((part for part in self.parts if part.device_id == "kernel"), None)
        if options.kernel and kernel is not None:
            found.append(KernelMonitor(self.machine, writer, kernel, interval=settings.kernel_interval))
        elif options.kernel:
            diagnostics.warn("the kernel's messages cannot be read here: dsmilctl doctor says why")
        return found


async def sources_of(client: Client, options: RunOptions, stack: AsyncExitStack) -> Sources:
    """What the options mean; raises DeviceNotFound, and InvalidParameter for a condition that is none."""
    devices = await client.devices(selector_of(options.selector))
    if not devices:
        raise DeviceNotFound(f"{options.selector or '@all'} names no device", hint="dsmilctl device list")
    registers, expression = options.registers, None
    if options.when:
        from dsmilctl.archive.expression import Expression

        expression = Expression(options.when, devices)
        chosen = registers or [device.default_register for device in devices if device.default_register]
        registers = tuple(dict.fromkeys((*chosen, *expression.registers)))
    machine, parts = await _machine(client, options, stack)
    return Sources(client, devices, registers, machine, parts, expression)


async def _machine(
    client: Client, options: RunOptions, stack: AsyncExitStack
) -> tuple[Client, Sequence[Device]]:
    """The client that reaches this machine's parts, and these; the context's own where it has some."""
    if not (options.host_metrics or options.kernel):
        return client, ()
    own = [device for device in await client.devices() if device.driver == HOST]
    if own:
        return client, own
    from dsmilctl.client.connecting import connect

    machine = await stack.enter_async_context(connect("local", settings=invocation().settings))
    return machine, await machine.devices()
