"""All fleets of a user: whether one is under a stop, and by which context somebody knows it."""

from __future__ import annotations

from dsmilctl.client.fleet_keys import known_by
from dsmilctl.config.contexts import contexts
from dsmilctl.config.paths import Paths
from dsmilctl.drivers.registry import Registry
from dsmilctl.errors import DSMILError, EmergencyStopActive
from dsmilctl.guard.all_fleets import stops_of_all
from dsmilctl.guard.files import plain_name
from dsmilctl.guard.latch_files import Held


def require_no_stop(folders: Paths, registry: Registry, target: str) -> None:
    """Raise EmergencyStopActive if any fleet with its state in these folders is under a stop."""
    found = stops_of_all((folders.latch_folder, *folders.latch_fallbacks, *folders.foreign_latches))
    if not found:
        return
    names = _contexts(registry)
    known = next((held for held in found if held.path.parent.name in names), found[0])
    raise _refusal(known, names.get(known.path.parent.name, ""), target)


def _refusal(held: Held, context: str, target: str) -> EmergencyStopActive:
    stop = held.stop
    where = f"context {context}" if context else f"the fleet of {held.path.parent}"
    chosen = f"-C {context} " if context else ""
    return EmergencyStopActive(
        f"{target} serves every context, and {where} is under {stop.stop_id} ({stop.reason})",
        hint=f"dsmilctl {chosen}emergency status, then emergency release {stop.stop_id}",
        target=target,
        stop_id=stop.stop_id,
    )


def _contexts(registry: Registry) -> dict[str, str]:
    """The contexts by the folders of their fleets, as far as they can be read."""
    try:
        found = [known_by(context, registry) for context in contexts()]
    except DSMILError:
        return {}
    return {plain_name(key): item.name for item in found for key in (item.fleet, *item.aliases)}
