"""What a local client does around its devices: drivers switched and forgotten, the journal asked."""

from __future__ import annotations

from typing import Any

from dsmilctl.client.interface import DriverInfo, HistoryQuery
from dsmilctl.client.local_drivers import InstalledDrivers
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.guard.guard import Guard
from dsmilctl.guard.journal import Journal
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import show_id
from dsmilctl.model.operation import OperationType


async def switch_driver(
    installed: InstalledDrivers, fleet: Fleet, guard: Guard, name: str, *, enabled: bool, reason: str
) -> DriverInfo:
    """Enable or disable a driver, guarded and journalled; raises NotFound and what refuses it.

    It takes effect in every context, so that no fleet may be under a stop when one is disabled.
    """
    installed.require(name)

    async def switch() -> DriverInfo:
        if not enabled:
            await fleet.drop(name)
        switched = installed.switch(name, enabled=enabled, reason=reason)
        if enabled and guard.checks.consent is not None:
            fleet.load()  # a server goes on: the devices come back now, not with the next process
            await fleet.rescan()
        return switched

    action = "driver.enable" if enabled else "driver.disable"
    parameters: dict[str, object] = {"reason": reason}
    why = None if enabled or guard.checks.consent is None else reason
    return await guard.administer(
        action,
        name,
        OperationType.CONFIG,
        parameters,
        switch,
        under_stop=enabled,
        everywhere=True,
        justification=why,
    )


async def forget_all(fleet: Fleet, guard: Guard) -> int:
    """Drop what the drivers keep of their devices, guarded; for how many devices there was something."""

    async def drop() -> int:
        return sum([await driver.forget() for driver in fleet.drivers.values()])

    return await guard.administer("driver.forget", ", ".join(fleet.drivers), OperationType.RESET, {}, drop)


def records_of(journal: Journal, query: HistoryQuery, context: str) -> list[AuditRecord]:
    """The records that a query means; those of a device are those of this context."""
    return journal.records(limit=query.limit, offset=query.offset, **_filters(query, context))


def number_of(journal: Journal, query: HistoryQuery, context: str) -> int:
    """How many records a query means, whatever its limit and offset."""
    return journal.count(**_filters(query, context))


def _filters(query: HistoryQuery, context: str) -> dict[str, Any]:
    return {
        "since": query.since,
        "until": query.until,
        "action": query.action,
        "outcome": query.outcome,
        "user": query.user,
        "target": "" if query.device_id is None else show_id(query.device_id),
        "context": "" if query.device_id is None else context,
    }
