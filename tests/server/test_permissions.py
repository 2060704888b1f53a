"""What a user is said to be allowed is what the policy allows, at the server, over the API and in a token."""

from __future__ import annotations

import base64
import json

import pytest

from dsmilctl.client.opening import connect, connect_context
from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.config.contexts import Context, DriverUse
from dsmilctl.config.paths import Paths
from tests.server.doors import LOW, MEDIUM, PASSWORD, WHY, doors

STRICT = "{version: 1, clearance: {READ: SECRET, WRITE: TOP_SECRET}, release: SCI, quarantine: COSMIC}"
LAX = "{version: 1, clearance: {READ: RESTRICTED, WRITE: CONFIDENTIAL, CONFIG: COSMIC}}"
BROKEN = "{version: 1, clearance: {WRITE: NOBODY}}"
USERS = ("ada", "operator", "analyst", "visitor")


def policy(home: Paths, text: str) -> None:
    home.policy_file.parent.mkdir(parents=True, exist_ok=True)
    home.policy_file.write_text(text)


@pytest.mark.parametrize("text", ["", STRICT, LAX, BROKEN])
async def test_a_permission_is_there_exactly_where_the_policy_lets_it_happen(home: Paths, text: str) -> None:
    if text:
        policy(home, text)
    async with doors() as server:
        for user in USERS:
            device = 0x8010 if user == "analyst" else MEDIUM
            said = (await server.ask(user, "GET", "/auth/whoami")).json()["permissions"]
            read = await server.read(user, device)
            write = await server.write(user, device)
            release = await server.ask(user, "POST", "/emergency/release", {"justification": WHY})
            stop = await server.ask(
                user, "POST", "/emergency/stop", {"scope": "SINGLE_DEVICE", "target_devices": [LOW]}
            )
            assert ("DEVICE_READ" in said) == (read.status_code == 200), user
            assert ("DEVICE_WRITE" in said) == (write.status_code == 200), (user, write.text)
            assert ("EMERGENCY_RELEASE" in said) == (release.status_code == 200), (user, release.text)
            assert ("EMERGENCY_STOP" in said) == (stop.status_code == 200), user
            await server.ask("ada", "POST", "/emergency/release", {"justification": WHY})
            for item in server.gateway.client._stop_control.in_force():
                server.gateway.client._latch.release(item.stop_id, "the test")


async def test_login_token_whoami_sdk_and_the_server_itself_say_the_same(home: Paths) -> None:
    policy(home, STRICT)
    async with doors() as server:
        for user in USERS:
            login = (await server.login(user)).json()
            claims = login["access_token"].split(".")[1]
            in_token = json.loads(base64.urlsafe_b64decode(claims + "=="))["permissions"]
            identity = server.gateway.access.authenticate(login["access_token"])
            here = await server.gateway.client.for_identity(identity).permissions()
            async with DSMILClient(server.url) as there:
                (await there.authenticate(user, PASSWORD)).raise_for_status()
                assert await there.permissions() == here == in_token
            assert login["user_context"]["permissions"] == here


async def test_a_context_that_only_looks_gives_no_permission_to_change(home: Paths) -> None:
    async with connect("sim") as client:
        assert {"DEVICE_READ", "DEVICE_WRITE", "EMERGENCY_RELEASE"} <= set(await client.permissions())
    looking = Context(name="look", drivers=(DriverUse("sim", {}),), read_only=True)
    async with connect_context(looking) as client:
        found = await client.permissions()

    assert "DEVICE_READ" in found
    assert "EMERGENCY_STOP" in found
    assert not {"DEVICE_WRITE", "DEVICE_CONFIG", "BULK_OPERATIONS", "EMERGENCY_RELEASE"} & set(found)
