"""Opening a context: everything that a local client needs, put together in one place."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path

import msgspec

from dsmilctl.client.bulks import Bulks
from dsmilctl.client.connecting import connect
from dsmilctl.client.fleet_keys import known_by
from dsmilctl.client.interface import ContextInfo
from dsmilctl.client.local import LocalClient
from dsmilctl.client.local_approvals import Consents
from dsmilctl.client.local_drivers import InstalledDrivers
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.config.contexts import Context
from dsmilctl.config.paths import Paths, file_name, paths
from dsmilctl.config.secrets import Secrets
from dsmilctl.config.settings import Settings, load_settings
from dsmilctl.drivers.managed import Reconnect
from dsmilctl.drivers.registry import Registry
from dsmilctl.errors import DSMILError
from dsmilctl.fleet.fleet import DriverSpec, Fleet
from dsmilctl.fleet.memory import Memory
from dsmilctl.fleet.switches import Switches
from dsmilctl.guard.approvals import LIFETIME, Approvals, hash_of
from dsmilctl.guard.checks import Checks
from dsmilctl.guard.consent import Consent
from dsmilctl.guard.evidence import Evidence
from dsmilctl.guard.guard import Guard
from dsmilctl.guard.holds import Holds
from dsmilctl.guard.journal import Journal
from dsmilctl.guard.latch import Latch
from dsmilctl.guard.places import Places
from dsmilctl.guard.policy import Policy, load_policy
from dsmilctl.guard.rates import Rates
from dsmilctl.guard.settling import Settling
from dsmilctl.guard.stop import StopControl, Unlatched
from dsmilctl.model.identity import Identity

__all__ = ["Opening", "Serving", "connect", "connect_context", "local_identity"]


def connect_context(
    found: Context,
    *,
    read_only: bool = False,
    timeout: float | None = None,
    settings: Settings | None = None,
    clock: Clock = SYSTEM,
    folders: Paths | None = None,
    common: Paths | None = None,
    serving: Serving | None = None,
) -> LocalClient:
    """A client on a context that is written nowhere: a fleet file, or the fleet of a simulator.

    `folders` sets its journal, latch and state apart from those of the user; `common` is where the latch, the
    holds and the state of its devices lie, which all share who open the fleet.  `serving` makes it the client
    of a server: its policy, its buckets, and the approvals of second persons.
    """
    return opening(
        found,
        read_only=read_only,
        timeout=timeout,
        settings=settings,
        clock=clock,
        folders=folders,
        common=common,
        serving=serving,
    ).client()


def opening(
    found: Context,
    *,
    read_only: bool = False,
    timeout: float | None = None,
    settings: Settings | None = None,
    clock: Clock = SYSTEM,
    folders: Paths | None = None,
    common: Paths | None = None,
    serving: Serving | None = None,
) -> Opening:
    """What a context means now, of which clients can be made later, whatever its files say by then."""
    chosen = settings or load_settings()
    folders = folders or paths()
    _make_private(folders.state)
    registry = Registry(folders.entry_point_cache)
    return Opening(
        context=known_by(found, registry),
        settings=chosen,
        folders=folders,
        common=common,
        registry=registry,
        installed=InstalledDrivers(registry, Switches(folders.driver_switches_file), clock),
        identity=local_identity(),
        read_only=read_only or found.read_only or chosen.read_only,
        timeout=timeout or chosen.timeout,
        clock=clock,
        serving=serving,
    )


def _make_private(state: Path) -> None:
    """Make the state folder, and those above it, before their parts would leave them open to others."""
    try:
        if state.exists():
            return
        from dsmilctl.config.private import make_folders

        make_folders(state)
    except OSError:
        return  # reading goes on without it; what has to be kept says that it cannot be


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """How a server guards its fleet.

    Without `approvals` a second person is asked for quarantined devices alone; `approval_seconds` is what an
    approval is good for.
    """

    rate_limits: bool = True
    approvals: bool = True
    approval_seconds: float = LIFETIME


MOST_CLIENTS = 2000
"""Clients of identities that are kept: a server makes one for each session and not for each request."""


class _Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What the clients of several identities on one fleet have in common."""

    fleet: Fleet
    journal: Journal
    latch: Latch
    holds: Holds
    bulks: Bulks
    memory: Memory
    policy: Callable[[], tuple[Policy, DSMILError | None]]
    rates: Rates
    unlatched: Unlatched
    places: Places
    approvals: Approvals | None = None


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """All that the parts of a local client are made of."""

    context: Context
    settings: Settings
    folders: Paths
    registry: Registry
    installed: InstalledDrivers
    identity: Identity
    read_only: bool
    timeout: float
    clock: Clock
    serving: Serving | None = None
    common: Paths | None = None

    @property
    def shared(self) -> Paths:
        """The folders of what belongs to the devices, whoever opens them: latch, holds, their state."""
        return self.common or self.folders

    def client(self) -> LocalClient:
        """The client of the identity that opens the context."""
        key, aliases = self.context.fleet, self.context.aliases
        name, devices = file_name(key), file_name(aliases[-1] if aliases else key)
        shared = _Shared(
            fleet=self.fleet(),
            journal=Journal(self.folders.journal_folder, self.clock),
            latch=self.latch(key, aliases),
            holds=Holds(self.shared.state / "holds" / f"{devices}.lock", self.clock),
            bulks=Bulks(self.folders.state / "bulks" / name),
            memory=Memory(self.shared.state / "devices" / f"{name}.json"),
            policy=self.policy if self.serving is None else cache(self.policy),
            rates=Rates(self.folders.state / "rates.json" if self.serving is None else None, self.clock),
            unlatched=Unlatched(),
            places=Places(),
            approvals=self.approvals(self.serving, name) if self.serving else None,
        )

        @lru_cache(MOST_CLIENTS)
        def variant(identity: Identity, in_bulk: bool) -> LocalClient:
            return self.client_of(identity, shared, variant, in_bulk=in_bulk)

        return variant(self.identity, False)

    def latch(self, key: str, aliases: Sequence[str]) -> Latch:
        """The stops of the fleet of these keys."""
        shared = self.shared
        return Latch(
            shared.latch_folder,
            key,
            shared.latch_fallbacks,
            self.clock,
            also=aliases,
            foreign=shared.foreign_latches,
        )

    def approvals(self, serving: Serving, name: str) -> Approvals:
        """The approvals of the context, beside its latch."""
        folder = self.folders.state / "approvals" / name
        return Approvals(folder, self.clock, lifetime=serving.approval_seconds)

    def client_of(
        self,
        identity: Identity,
        shared: _Shared,
        variant: Callable[[Identity, bool], LocalClient],
        *,
        in_bulk: bool = False,
    ) -> LocalClient:
        """A client with everything that stands between this identity and the devices.

        `in_bulk` is for the parts of a bulk, whose operation was counted as a whole; `variant` makes the
        clients of others.
        """
        fleet = shared.fleet
        announce = fleet.bus.events.send
        evidence = Evidence(shared.journal, identity, self.context.name, clock=self.clock, announce=announce)
        stop_control = StopControl(
            latch=shared.latch,
            evidence=evidence,
            lifecycle=fleet.lifecycle,
            clock=self.clock,
            announce=announce,
            memory=shared.unlatched,
        )
        checks = self.checks(identity, stop_control, shared)
        if in_bulk:
            checks = checks.in_bulk()
        client = LocalClient(
            context=ContextInfo(self.context.name, self.context.kind, self.context.target, self.read_only),
            identity=identity,
            fleet=fleet,
            guard=self.guard(checks, evidence, stop_control, shared),
            settling=Settling(fleet.lifecycle, evidence, stop_control.in_force, self.timeout),
            stop_control=stop_control,
            latch=shared.latch,
            journal=shared.journal,
            holds=shared.holds,
            bulks=shared.bulks,
            memory=shared.memory,
            installed=self.installed,
            places=shared.places,
            consents=Consents(fleet, checks, evidence, checks.consent) if checks.consent else None,
            variant=variant,
        )
        client.archive = self.folders.archive_folder
        client.alarm_file = self.folders.state / "alarms" / f"{file_name(self.context.fleet)}.json"
        return client

    def guard(self, checks: Checks, evidence: Evidence, stop_control: StopControl, shared: _Shared) -> Guard:
        """What stands before every change of an identity."""
        return Guard(
            checks=checks,
            lifecycle=shared.fleet.lifecycle,
            evidence=evidence,
            holds=shared.holds,
            in_force=stop_control.in_force,
            all_released=self.require_all_released,
            clock=self.clock,
            deadline=self.timeout,
        )

    def require_all_released(self, target: str) -> None:
        """Raise EmergencyStopActive if any fleet that a change of `target` touches is under a stop."""
        from dsmilctl.client.all_fleets import require_no_stop

        require_no_stop(self.folders, self.registry, target)

    def fleet(self) -> Fleet:
        """The fleet of the context, not yet opened."""
        state = self.shared.driver_state
        secrets = Secrets(self.folders.tokens_folder, keyring=self.settings.keyring)
        specs = [
            DriverSpec(
                use.driver,
                use.options,
                state(self.context.fleet, use.name or use.driver),
                name=use.name,
                secret=secrets.resolve,
            )
            for use in self.context.drivers
        ]
        wanted = self.settings.reconnect
        return Fleet(
            specs,
            self.registry,
            clock=self.clock,
            reconnect=Reconnect(wanted.first, wanted.cap, wanted.jitter, wanted.give_up),
            deadline=self.timeout,
            disabled=self.installed.disabled,
            broken=self.context.broken,
        )

    def checks(self, identity: Identity, stop_control: StopControl, shared: _Shared) -> Checks:
        """The guard's checks under the policy of this context."""
        policy, problem = shared.policy()
        consent = None
        if shared.approvals is not None:
            epoch = hash_of(policy.without_rates())
            consent = Consent(
                approvals=shared.approvals,
                fleet=self.context.fleet,
                epoch=epoch,
                in_force=stop_control.in_force,
            )
        return Checks(
            policy=policy,
            policy_problem=problem,
            identity=identity,
            context=self.context.name,
            read_only=self.read_only,
            rates=shared.rates,
            holding=stop_control.holding,
            since=shared.latch.since,
            consent=consent,
        )

    def policy(self) -> tuple[Policy, DSMILError | None]:
        """The policy of this context, and why it cannot be used; a server reads it once."""
        policy, problem = load_policy(self.folders.policy_file, self.default_policy())
        if self.serving is not None and not self.serving.rate_limits:
            policy = policy.without_rates()
        if self.serving is not None and not self.serving.approvals:
            policy = policy.without_approvals()
        return policy, problem

    def default_policy(self) -> str:
        """The server's, or the strictest policy that a driver of the context wants.

        A driver that cannot be loaded wants none.
        """
        if self.serving is not None:
            return "server"
        for use in self.context.drivers:
            try:
                if self.registry.load(use.driver).policy == "dsmil":
                    return "dsmil"
            except DSMILError:
                continue  # opening the fleet says it
        return "local"


def local_identity() -> Identity:
    """The user of this process, as the operating system knows it."""
    try:
        import pwd

        user = pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        user = f"uid-{os.geteuid()}"
    return Identity(user, os.uname().nodename)
