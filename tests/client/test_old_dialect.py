"""A client with `api_version="1.0"` and the original server: what there is of it, and what is not."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.client.remote.results import SystemEvent, Update
from dsmilctl.errors import AuthenticationError, DSMILError, NotFound
from tests.client.old_server import OldServer

WHY = "what the night shift asked for"
CLAIMS = {
    "sub": "op_001", "username": "operator", "clearance": "SECRET", "permissions": [],
    "authorized_devices": [0x8000], "session_id": "s-1",
}  # fmt: skip
PATIENCE = 20.0


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


TOKEN = f"{part({'alg': 'HS256'})}.{part(CLAIMS)}.signature"


@pytest_asyncio.fixture
async def old() -> AsyncIterator[OldServer]:
    async with OldServer(TOKEN) as server:
        yield server


@pytest_asyncio.fixture
async def client(old: OldServer) -> AsyncIterator[DSMILClient]:
    async with DSMILClient(old.url, api_version="1.0", max_retries=0) as made:
        (await made.authenticate_token(TOKEN)).raise_for_status()
        yield made


async def test_a_token_that_somebody_issued_is_the_login_and_a_password_is_none(old: OldServer) -> None:
    async with DSMILClient(old.url, api_version="1.0") as client:
        refused = await client.authenticate("operator", "dsmil_op_2024")
        taken = await client.authenticate_token(TOKEN)

    assert not refused.success
    assert refused.error_code == "AUTHENTICATION_FAILED"
    assert taken.success
    assert taken.user is not None
    assert (taken.user.username, taken.user.clearance_level) == ("operator", "SECRET")


async def test_a_token_that_the_server_does_not_know_raises(old: OldServer) -> None:
    async with DSMILClient(old.url, api_version="1.0", max_retries=0) as client:
        await client.authenticate_token(TOKEN + "x")
        with pytest.raises(AuthenticationError):
            await client.list_devices()


async def test_health_and_status_have_the_names_of_version_2(client: DSMILClient) -> None:
    status = await client.get_system_status()

    assert (await client.health_check()).is_healthy
    assert status.overall_status == "NORMAL"
    assert status.device_summary.total_devices == 84
    assert status.device_summary.quarantined_devices == 0


async def test_the_bare_list_is_filtered_and_paged_here(client: DSMILClient) -> None:
    devices = await client.list_devices(limit=100)
    first = await client.list_devices(device_group=0, limit=5)
    medium = await client.list_devices(risk_level="MEDIUM", limit=100)

    assert len(list(devices)) == 79
    assert [item.device_id for item in first] == list(range(0x8000, 0x8005))
    assert {item.device_group for item in medium} == {3, 4}
    assert (await client.get_device(0x8001)).device_name == "DSMIL-00-01"
    with pytest.raises(DSMILError) as unknown:
        await client.get_device(0x8060)
    assert unknown.value.code == "DEVICE_NOT_FOUND"


async def test_a_write_travels_as_bare_hex_and_is_read_back_as_the_number(
    old: OldServer, client: DSMILClient
) -> None:
    written = await client.write_device(0x8030, "CONFIG", 0x10, justification=WHY)
    read = await client.read_device(0x8030, "CONFIG")
    text = await client.read_device(0x8031, "STATUS")

    body = next(body for path, body in old.asked if body and body.get("operation_type") == "WRITE")
    assert body["operation_data"] == {"register": "CONFIG", "data": "00000010"}
    assert written.success
    assert (read.success, read.data) == (True, 0x10)
    assert text.data == "simulated_data_for_device_8031"


async def test_refusals_of_the_original_are_those_of_version_2(client: DSMILClient) -> None:
    unjustified = await client.write_device(0x8030, "CONFIG", 1, justification="no")
    quarantined = await client.read_device(0x8009, "STATUS")
    unsupported = await client.reset_device(0x8030)

    assert (unjustified.success, unjustified.error_code) == (False, "PERMISSION_DENIED")
    assert quarantined.error_code == "PERMISSION_DENIED"
    assert "quarantined" in quarantined.error
    assert (unsupported.success, unsupported.error_code) == (False, "HARDWARE_ERROR")
    assert "unsupported" in unsupported.error


async def test_a_bulk_goes_one_by_one_and_is_one_bulk_to_the_caller(
    old: OldServer, client: DSMILClient
) -> None:
    bulk = await client.bulk_read([0x8030, 0x8009, 0x8031], "STATUS")

    assert [result.success for result in bulk] == [True, False, True]
    assert (bulk.summary.successful, bulk.summary.total) == (2, 3)
    assert sum(path.endswith("/operations") for path, _ in old.asked) == 3


async def test_a_stop_stops_everything_and_cannot_be_released_over_version_1(
    old: OldServer, client: DSMILClient
) -> None:
    stop = await client.trigger_emergency_stop("smoke", scope="SINGLE_DEVICE", target_devices=[0x8030])
    refused = await client.write_device(0x8030, "CONFIG", 1, justification=WHY)

    assert stop.stop is not None
    assert stop.stop.scope == "ALL", "version 1.0 knows no other scope, and this is said"
    assert old.stopped
    assert refused.error_code == "EMERGENCY_STOP"
    with pytest.raises(NotFound) as unknown:
        await client.release_emergency_stop(WHY)
    assert "1.0" in unknown.value.message


async def test_the_old_websocket_tells_of_devices_and_of_stops(old: OldServer, client: DSMILClient) -> None:
    updates: list[Update] = []
    events: list[SystemEvent] = []
    both = asyncio.Event()

    def note(kept: list[Any], item: Any) -> None:
        kept.append(item)
        if updates and events:
            both.set()

    async with await client.create_websocket() as websocket:
        name = await websocket.subscribe_device_updates([0x8030], lambda item: note(updates, item))
        await websocket.subscribe_system_events(lambda item: note(events, item))
        running = asyncio.create_task(websocket.run_forever())
        await client.write_device(0x8031, "CONFIG", 7, justification=WHY)
        await client.write_device(0x8030, "CONFIG", 0x10, justification=WHY)
        await client.read_device(0x8030, "CONFIG")
        await client.trigger_emergency_stop("smoke in hall 4")
        async with asyncio.timeout(PATIENCE):
            await both.wait()
        await websocket.unsubscribe(name)
        await websocket.close()
        await running

    assert {item.device_id for item in updates} == {0x8030}
    assert updates[-1].data == 0x10
    assert (events[0].type, events[0].severity) == ("EMERGENCY_STOP", "CRITICAL")
    assert events[0].message.endswith("smoke in hall 4")
    said = [path for path, _ in old.asked if path.startswith("WS")]
    assert {"WS SUBSCRIBE", "WS UNSUBSCRIBE", "WS PING", "WS PONG"} <= set(said)


async def test_a_websocket_without_a_token_that_the_server_knows_is_refused(old: OldServer) -> None:
    async with DSMILClient(old.url, api_version="1.0") as client:
        await client.authenticate_token(TOKEN + "x")
        websocket = await client.create_websocket()
        with pytest.raises(AuthenticationError):
            async with asyncio.timeout(PATIENCE):
                await websocket.run_forever()
        await websocket.close()
