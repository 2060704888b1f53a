"""Installed drivers, as a person asks for them: what they can do, or why they cannot be used."""

from __future__ import annotations

from dsmilctl.client.interface import DriverInfo
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.drivers.registry import EntryPoint, Registry
from dsmilctl.errors import DSMILError, NotFound, nearest
from dsmilctl.fleet.switches import Switch, Switches


class InstalledDrivers:
    """The registry of drivers together with the switches that somebody set."""

    def __init__(self, registry: Registry, switches: Switches, clock: Clock = SYSTEM) -> None:
        self._registry = registry
        self._switches = switches
        self._clock = clock

    def disabled(self) -> dict[str, str]:
        """The drivers that are switched off, with the reason given."""
        return {name: item.reason for name, item in self._switches.all().items() if not item.enabled}

    def all(self) -> list[DriverInfo]:
        """Every installed driver, by name."""
        switches = self._switches.all()
        return [
            self._describe(entry, switches.get(name))
            for name, entry in sorted(self._registry.entries().items())
        ]

    def require(self, name: str) -> EntryPoint:
        """The driver of that name; raises NotFound."""
        entries = self._registry.entries()
        if name not in entries:
            hint = nearest(name, entries) or "dsmilctl driver list shows every driver"
            raise NotFound(f"no driver {name!r}", hint=hint, target=name)
        return entries[name]

    def switch(self, name: str, *, enabled: bool, reason: str) -> DriverInfo:
        """Enable or disable a driver; raises NotFound, and StateUnavailable when it cannot be remembered."""
        switch = Switch(enabled, reason, self._clock.now())
        entry = self.require(name)
        self._switches.set(name, switch)
        return self._describe(entry, switch)

    def _describe(self, entry: EntryPoint, switch: Switch | None) -> DriverInfo:
        origin = f"{entry.distribution} {entry.version}".strip()
        switched = switch or Switch(True, "", 0)
        try:
            kind = self._registry.load(entry.name)
        except DSMILError as error:
            return DriverInfo(
                name=entry.name,
                distribution=origin,
                enabled=switched.enabled,
                reason=switched.reason,
                problem=error.message,
                fix=error.hint,
            )
        return DriverInfo(
            name=entry.name,
            version=kind.version,
            summary=kind.summary,
            distribution=origin,
            enabled=switched.enabled,
            reason=switched.reason,
            changed=switched.changed or None,
            capabilities=tuple(sorted(kind.capabilities)),
            commands=tuple(kind.commands),
        )
