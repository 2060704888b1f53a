"""Opening a context: everything that a local client needs, put together in one place."""

from __future__ import annotations

import os

from dsmilctl.client.bulks import Bulks
from dsmilctl.client.interface import Client, ContextInfo
from dsmilctl.client.local import LocalClient
from dsmilctl.client.local_drivers import InstalledDrivers
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.config.contexts import Context, find_context
from dsmilctl.config.paths import Paths, file_name, paths
from dsmilctl.config.settings import Settings, load_settings
from dsmilctl.drivers.contract import Driver
from dsmilctl.drivers.managed import Reconnect
from dsmilctl.drivers.registry import Registry
from dsmilctl.fleet.fleet import DriverSpec, Fleet
from dsmilctl.fleet.memory import Memory
from dsmilctl.fleet.switches import Switches
from dsmilctl.guard.checks import Checks
from dsmilctl.guard.guard import Guard
from dsmilctl.guard.journal import Journal
from dsmilctl.guard.latch import Latch
from dsmilctl.guard.policy import Policy, load_policy
from dsmilctl.guard.rates import Rates
from dsmilctl.guard.stop import StopControl
from dsmilctl.model.device import DeviceId
from dsmilctl.model.emergency import Stop
from dsmilctl.model.identity import Identity


def connect(
    context: str = "",
    *,
    read_only: bool = False,
    timeout: float | None = None,
    settings: Settings | None = None,
    clock: Clock = SYSTEM,
) -> Client:
    """A client on a context, not yet opened; without a name on the current one.

    `read_only` lets no change through, `timeout` is the seconds that one call of a driver may take.
    Raises NotFound for an unknown context and ConfigError for a wrong configuration.
    """
    chosen = settings or load_settings()
    return _local(find_context(context), chosen, paths(), read_only, timeout or chosen.timeout, clock)


def _local(
    context: Context, settings: Settings, folders: Paths, read_only: bool, timeout: float, clock: Clock
) -> LocalClient:
    registry = Registry(folders.entry_point_cache)
    installed = InstalledDrivers(registry, Switches(folders.driver_switches_file), clock)
    closed = read_only or context.read_only or settings.read_only
    fleet = _fleet(context, settings, folders, registry, installed, timeout, clock)
    journal = Journal(folders.journal_folder, clock)
    latch = Latch(folders.latch_folder, context.fleet, folders.runtime / "latch", clock)
    identity = local_identity()
    stop_control = StopControl(
        latch=latch,
        journal=journal,
        lifecycle=fleet.lifecycle,
        identity=identity,
        context=context.name,
        clock=clock,
    )
    checks = Checks(
        policy=_policy(context, folders, registry),
        identity=identity,
        context=context.name,
        read_only=closed,
        rates=Rates(folders.state / "rates.json", clock),
        holding=lambda device_id: _holding(latch, stop_control, device_id),
    )
    name = file_name(context.fleet)
    return LocalClient(
        context=ContextInfo(context.name, context.kind, context.target, closed),
        identity=identity,
        fleet=fleet,
        guard=Guard(checks=checks, lifecycle=fleet.lifecycle, journal=journal, clock=clock, deadline=timeout),
        stop_control=stop_control,
        latch=latch,
        journal=journal,
        bulks=Bulks(folders.state / "bulks" / name),
        memory=Memory(folders.state / "devices" / f"{name}.json"),
        installed=installed,
    )


def _fleet(
    context: Context,
    settings: Settings,
    folders: Paths,
    registry: Registry,
    installed: InstalledDrivers,
    timeout: float,
    clock: Clock,
) -> Fleet:
    specs = [
        DriverSpec(use.driver, use.options, folders.driver_state(context.fleet, use.driver))
        for use in context.drivers
    ]
    wanted = settings.reconnect
    reconnect = Reconnect(wanted.first, wanted.cap, wanted.jitter, wanted.give_up)
    return Fleet(
        specs, registry, clock=clock, reconnect=reconnect, deadline=timeout, disabled=installed.disabled
    )


def _policy(context: Context, folders: Paths, registry: Registry) -> Policy:
    kinds: list[type[Driver]] = [registry.load(use.driver) for use in context.drivers]
    default = "dsmil" if any(kind.policy == "dsmil" for kind in kinds) else "local"
    return load_policy(folders.policy_file, default)


def _holding(latch: Latch, control: StopControl, device_id: DeviceId) -> Stop | None:
    for stop in control.unlatched:
        if stop.covers(device_id):
            return stop
    return latch.holding(device_id)


def local_identity() -> Identity:
    """The user of this process, as the operating system knows it."""
    try:
        import pwd

        user = pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        user = f"uid-{os.geteuid()}"
    return Identity(user, os.uname().nodename)
