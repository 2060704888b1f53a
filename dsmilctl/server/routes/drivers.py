"""`/drivers`: the installed drivers, switched on and off for everybody (an extension of ours)."""

from __future__ import annotations

import msgspec

from dsmilctl.client.interface import DriverInfo
from dsmilctl.clock import rfc3339
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.server.endpoint import Call, Endpoint
from dsmilctl.wire.system import DriverAnswer, DriverList, DriverSwitch

VERBS = ("enable", "disable")


async def drivers(call: Call) -> DriverList:
    """Every installed driver, also those that cannot be used."""
    return DriverList(drivers=[_answer(info) for info in await call.client.drivers()])


async def switch(call: Call) -> DriverAnswer:
    """Enable or disable a driver: its devices come or go for everybody."""
    name, verb = call.path["name"], call.path["verb"]
    if verb not in VERBS:
        hint = nearest(verb, VERBS) or " or ".join(VERBS)
        raise InvalidParameter(f"a driver has no verb {verb!r}", hint=hint, target=verb)
    wanted: DriverSwitch = call.body
    return _answer(await call.client.set_driver(name, enabled=verb == "enable", reason=wanted.reason))


def _answer(info: DriverInfo) -> DriverAnswer:
    facts = msgspec.structs.asdict(info)
    facts["changed"] = "" if info.changed is None else rfc3339(info.changed, 6)
    return msgspec.convert(msgspec.to_builtins(facts), DriverAnswer)


ENDPOINTS = (
    Endpoint(
        method="GET", path="/drivers", handler=drivers, answer=DriverList, summary="The installed drivers",
        errors=("STATE_UNAVAILABLE",),
    ),
    Endpoint(
        method="POST", path="/drivers/{name}/{verb}", handler=switch, body=DriverSwitch, answer=DriverAnswer,
        summary="Enable or disable a driver for everybody",
        errors=("NOT_FOUND", "JUSTIFICATION_REQUIRED", "READ_ONLY", "EMERGENCY_STOP", "STATE_UNAVAILABLE"),
    ),
)  # fmt: skip
