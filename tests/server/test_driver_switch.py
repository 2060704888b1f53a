"""A driver disabled on a server: for everybody there, by whoever may, and until it is enabled again."""

from __future__ import annotations

from typing import Any

import pytest

from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.config.paths import Paths
from dsmilctl.errors import JustificationRequired, NotFound, PermissionDenied
from dsmilctl.server.identity.users import Users
from tests.server.doors import MEDIUM, PASSWORD, WHY, Doors, code, doors, everybody, somebody

SIM = "/drivers/sim"


async def switch(server: Doors, user: str, verb: str, reason: str = WHY) -> Any:
    return await server.ask(user, "POST", f"{SIM}/{verb}", {"reason": reason})


async def test_whom_it_touches_and_what_authority_it_takes(home: Paths) -> None:
    """Two accounts: an operator of some devices may not take them from all; an administrator may."""
    kept = Users(users=everybody() | {"chief": somebody("chief", "TOP_SECRET", devices=(MEDIUM,))})
    async with doors(users=kept) as server:
        refused = [await switch(server, user, "disable") for user in ("operator", "chief")]
        silent = await switch(server, "ada", "disable", "")
        before = [await server.read(user, MEDIUM) for user in ("operator", "ada")]

        disabled = await switch(server, "ada", "disable")
        during = [await server.read(user, MEDIUM) for user in ("operator", "ada")]
        listed = (await server.ask("operator", "GET", "/drivers")).json()["drivers"]
        not_by_him = await switch(server, "operator", "enable")
        enabled = await switch(server, "ada", "enable")
        after = [await server.read(user, MEDIUM) for user in ("operator", "ada")]
        records = [item for item in reversed(await server.journal()) if item["action"].startswith("driver.")]

    assert [code(answer) for answer in refused] == [(403, "PERMISSION_DENIED")] * 2
    assert "needs clearance TOP_SECRET" in refused[0].json()["error"]["message"]
    assert "kept from" in refused[1].json()["error"]["message"]
    assert code(silent) == (422, "JUSTIFICATION_REQUIRED")
    assert [answer.status_code for answer in before] == [200, 200]
    assert (disabled.status_code, disabled.json()["enabled"]) == (200, False)
    assert [code(answer) for answer in during] == [(404, "DEVICE_NOT_FOUND")] * 2
    told = {driver["name"]: driver for driver in listed}["sim"]
    assert (told["enabled"], told["reason"]) == (False, WHY)
    assert told["changed"].endswith("Z")
    assert code(not_by_him) == (403, "PERMISSION_DENIED")
    assert (enabled.status_code, enabled.json()["enabled"]) == (200, True)
    assert [answer.status_code for answer in after] == [200, 200]
    assert [(item["action"], item["user"], item["outcome"]) for item in records] == [
        ("driver.disable", "operator", "DENIED"),
        ("driver.disable", "chief", "DENIED"),
        ("driver.disable", "ada", "DENIED"),
        ("driver.disable", "ada", "INTENT"),
        ("driver.disable", "ada", "SUCCESS"),
        ("driver.enable", "operator", "DENIED"),
        ("driver.enable", "ada", "INTENT"),
        ("driver.enable", "ada", "SUCCESS"),
    ]


async def test_under_a_stop_no_driver_is_disabled_and_one_may_be_enabled(home: Paths) -> None:
    async with doors() as server:
        await server.ask("analyst", "POST", "/emergency/stop", {})
        refused = await switch(server, "ada", "disable")
        allowed = await switch(server, "ada", "enable")

    assert code(refused) == (503, "EMERGENCY_STOP")
    assert allowed.status_code == 200


async def test_the_client_switches_and_lists_as_a_local_one_does(home: Paths) -> None:
    async with doors() as server, DSMILClient(server.url) as ada, DSMILClient(server.url) as operator:
        (await ada.authenticate("ada", PASSWORD)).raise_for_status()
        (await operator.authenticate("operator", PASSWORD)).raise_for_status()
        with pytest.raises(PermissionDenied):
            await operator.set_driver("sim", enabled=False, reason=WHY)
        with pytest.raises(JustificationRequired):
            await ada.set_driver("sim", enabled=False, reason="no")
        with pytest.raises(NotFound, match="simm"):
            await ada.set_driver("simm", enabled=False, reason=WHY)
        switched = await ada.set_driver("sim", enabled=False, reason=WHY)
        here = {info.name: info for info in await server.gateway.client.drivers()}
        there = {info.name: info for info in await operator.drivers()}
        await ada.set_driver("sim", enabled=True, reason=WHY)

    assert there.keys() == here.keys()
    assert switched == there["sim"]
    assert abs((there["sim"].changed or 0) - (here["sim"].changed or 0)) < 1000, "microseconds on the wire"
    assert not there["sim"].enabled
