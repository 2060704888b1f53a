"""The WebSocket of the contract, message by message, over real sockets."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from dsmilctl.clock import rfc3339
from tests.server.served import PATIENCE, Served, hear, say, subscribe

WRITE = {
    "operation_type": "WRITE",
    "operation_data": {"register": "CONFIG", "value": "0x00000005"},
    "justification": "a value that a test can see",
}


async def write(served: Served, device: int, value: int, user: str = "operator") -> None:
    async with served.http(user) as http:
        body = WRITE | {"operation_data": {"register": "CONFIG", "value": value}}
        answer = await http.post(f"/devices/{device}/operations", json=body)
        assert answer.status_code == 200, answer.text


async def closing(websocket: ClientConnection) -> ConnectionClosed:
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(PATIENCE):
            while True:
                await websocket.recv()
    return closed.value


@pytest.mark.parametrize("query", ["", "?token=", "?token=x.y.z"])
async def test_without_a_valid_token_a_websocket_is_closed_with_4401(served: Served, query: str) -> None:
    async with connect(served.ws_url + query) as websocket:
        closed = await closing(websocket)

    assert closed.rcvd is not None
    assert closed.rcvd.code == 4401


async def test_a_browser_gives_its_token_in_the_query(served: Served) -> None:
    async with connect(f"{served.ws_url}?token={served.token()}&client_type=web") as websocket:
        confirmed = await subscribe(websocket, "system_events")

    assert confirmed["subscription"] == "system_events"


async def test_the_token_of_a_query_is_in_no_log(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        async with connect(f"{served.ws_url}?token={served.token()}", logger=None) as websocket:
            await subscribe(websocket, "system_events")

    ours = [record for record in caplog.records if not record.name.startswith("websockets.client")]
    assert served.token() not in "\n".join(record.getMessage() for record in ours)


async def test_a_page_of_another_origin_is_closed_out(served: Served) -> None:
    async with connect(
        f"{served.ws_url}?token={served.token()}", origin=Origin("https://elsewhere.example")
    ) as other:
        closed = await closing(other)

    assert closed.rcvd is not None
    assert closed.rcvd.code == 4403


async def test_a_subscription_is_confirmed_with_its_filters_and_the_id_of_the_request(served: Served) -> None:
    async with served.websocket() as websocket:
        filters = {"device_ids": [0x8001], "operation_types": ["READ"], "risk_levels": ["LOW", "CRITICAL"]}
        await say(websocket, "SUBSCRIBE_ADVANCED", subscription="device_updates", filters=filters)
        confirmed = await hear(websocket)

    assert confirmed["type"] == "SUBSCRIPTION_CONFIRMED"
    assert confirmed["id"] == "q"
    assert confirmed["data"]["filters"] == filters
    assert confirmed["data"]["subscription_id"].startswith("sub-")


async def test_a_write_through_the_api_reaches_a_subscriber_at_once_and_not_at_the_next_tick(
    served: Served,
) -> None:
    async with served.websocket() as websocket:
        await subscribe(
            websocket,
            "device_updates",
            filters={"device_ids": [0x8030]},
            registers=["CONFIG"],
            interval_ms=3_600_000,
        )
        await hear(websocket, "DEVICE_STATE_UPDATE")

        begun = time.monotonic()
        await write(served, 0x8030, 0xABCD)
        update = await hear(websocket, "DEVICE_STATE_UPDATE")

    assert update["data"]["value"] == "0x0000ABCD"
    assert update["data"]["device_id"] == 0x8030
    assert update["data"]["register"] == "CONFIG"
    assert update["data"]["quality"] == "good"
    assert update["data"]["timestamp"].endswith("Z")
    assert time.monotonic() - begun < 5


async def test_every_message_has_a_number_that_rises_by_one(served: Served) -> None:
    async with served.websocket() as websocket:
        await subscribe(
            websocket, "device_updates", filters={"device_ids": [0x8001, 0x8002]}, interval_ms=100
        )
        await say(websocket, "NONSENSE")
        numbers = [(await hear(websocket))["seq"] for _ in range(12)]

    assert numbers == list(range(2, 14))


async def test_a_batch_carries_a_whole_tick_in_one_message(served: Served) -> None:
    async with served.websocket("admin") as websocket:
        confirmed = await subscribe(
            websocket, "device_updates", registers=["TEMP", "STATUS"], interval_ms=100, batch=True
        )
        first, second = [await hear(websocket, "DEVICE_STATE_BATCH") for _ in range(2)]

    assert confirmed["devices"] == 79, "the quarantined ones are left out"
    assert len(first["data"]["readings"]) == len(second["data"]["readings"]) == 158
    assert {"device_id", "register", "value", "timestamp", "unit", "quality"} <= set(
        first["data"]["readings"][0]
    )
    assert first["data"]["subscription_id"] == confirmed["subscription_id"]


async def test_with_changes_only_a_subscriber_gets_everything_once_and_then_what_changed(
    served: Served,
) -> None:
    async with served.websocket() as websocket:
        await subscribe(
            websocket, "device_updates", filters={"device_ids": [0x8030, 0x8031]}, registers=["CONFIG"],
            interval_ms=100, batch=True, changes_only=True,
        )  # fmt: skip
        first = await hear(websocket, "DEVICE_STATE_BATCH")
        await write(served, 0x8031, int(time.time()))
        later = first
        while len(later["data"]["readings"]) != 1:
            later = await hear(websocket, "DEVICE_STATE_BATCH")

    assert len(first["data"]["readings"]) == 2
    assert later["data"]["readings"][0]["device_id"] == 0x8031


async def test_a_filter_of_operations_leaves_out_what_polls_bring(served: Served) -> None:
    async with served.websocket() as websocket:
        await subscribe(
            websocket, "device_updates", filters={"device_ids": [0x8030], "operation_types": ["WRITE"]},
            registers=["CONFIG"], interval_ms=100,
        )  # fmt: skip
        await asyncio.sleep(0.3)
        await write(served, 0x8030, 77)
        update = await hear(websocket)

    assert update["data"]["value"] == "0x0000004D"
    assert update["seq"] == 2


async def test_a_rate_limit_gives_the_newest_values_and_counts_what_they_replaced(served: Served) -> None:
    async with served.websocket() as websocket:
        await subscribe(
            websocket, "device_updates", filters={"device_ids": [0x8001]}, registers=["TEMP"],
            interval_ms=100, rate_limit="MAX_2_PER_SECOND",
        )  # fmt: skip
        begun = time.monotonic()
        kinds: list[dict[str, Any]] = []
        while sum(item["type"] == "DEVICE_STATE_UPDATE" for item in kinds) < 4:
            kinds.append(await hear(websocket))

    limited = [item["data"] for item in kinds if item["type"] == "CLIENT_RATE_LIMITED"]
    assert time.monotonic() - begun >= 1.4, "four updates at two a second"
    assert limited[0]["limit"] == "MAX_2_PER_SECOND"
    assert limited[0]["retry_after"] == 0.5
    assert limited[0]["superseded"] > 0


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        ('{"type": 5}', "str"),
        ('{"id": "q"}', "type"),
        ('{"type": "NONSENSE"}', "NONSENSE"),
        ('{"type": "SUBSCRIBE_ADVANCE"}', "SUBSCRIBE_ADVANCE"),
        ('{"type": "CLIENT_HEARTBEAT", "spoof": 1}', "spoof"),
        ('{"type": "CLIENT_HEARTBEAT", "data": {"cpu": 1}}', "cpu"),
        ('{"type": "UNSUBSCRIBE", "data": {"subscription_id": "sub-1"}}', "sub-1"),
        ('{"type": "SUBSCRIBE_ADVANCED", "data": {}}', "subscription"),
        ('{"type": "SUBSCRIBE_ADVANCED", "data": {"subscription": "everything"}}', "everything"),
        (
            '{"type": "SUBSCRIBE_ADVANCED", "data": {"subscription": "device_updates", "intervl": 1}}',
            "intervl",
        ),
        (
            '{"type": "SUBSCRIBE_ADVANCED", "data": {"subscription": "device_updates", "interval_ms": 99}}',
            "99",
        ),
        (
            '{"type": "SUBSCRIBE_ADVANCED", "data": {"subscription": "device_updates", "rate_limit": "1"}}',
            "rate",
        ),
        (
            '{"type": "SUBSCRIBE_ADVANCED", "data": {"subscription": "device_updates", "registers": ["X"]}}',
            "X",
        ),
        (
            '{"type": "SUBSCRIBE_ADVANCED", "data": {"subscription": "device_updates",'
            ' "filters": {"device_ids": [33000]}}}',
            "0x80E8",
        ),
        (
            '{"type": "SUBSCRIBE_ADVANCED", "data": {"subscription": "device_updates",'
            ' "filters": {"device_ids": [32777]}}}',
            "quarantined",
        ),
        (
            '{"type": "SUBSCRIBE_ADVANCED", "data": {"subscription": "device_updates",'
            ' "filters": {"risk_levels": ["SEVERE"]}}}',
            "SEVERE",
        ),
        pytest.param('{"type": "X", "data": ' + "[" * 5000, "JSON", id="nested"),
        ('{"type": "X", "id": "' + "\\ud800" + '"}', "JSON"),
    ],
)
async def test_what_makes_no_sense_is_answered_with_an_error_that_names_it(
    served: Served, message: str, named: str
) -> None:
    async with served.websocket() as websocket:
        await websocket.send(message)
        answer = await hear(websocket)
        await say(websocket, "CLIENT_HEARTBEAT")
        after = await hear(websocket)

    assert answer["type"] == "ERROR"
    assert named in answer["data"]["message"]
    assert answer["data"]["code"] in {
        "INVALID_PARAMETER", "NOT_FOUND", "DEVICE_NOT_FOUND", "DEVICE_QUARANTINED",
    }  # fmt: skip
    assert after["type"] == "HEARTBEAT_CONFIRMED", "the connection goes on"


@pytest.mark.parametrize(
    ("user", "subscription"),
    [("analyst", "security_alerts"), ("operator", "audit_events"), ("analyst", "audit_events")],
)
async def test_a_forbidden_subscription_is_said_and_closed_with_4403(
    served: Served, user: str, subscription: str
) -> None:
    async with served.websocket(user) as websocket:
        await say(websocket, "SUBSCRIBE_ADVANCED", subscription=subscription)
        error = await hear(websocket)
        closed = await closing(websocket)

    assert error["data"]["code"] == "PERMISSION_DENIED"
    assert closed.rcvd is not None
    assert closed.rcvd.code == 4403


async def test_a_user_hears_only_of_the_devices_that_are_his(served: Served) -> None:
    async with served.websocket("analyst") as websocket:
        confirmed = await subscribe(websocket, "device_updates", interval_ms=100, batch=True)
        batch = await hear(websocket, "DEVICE_STATE_BATCH")
        await say(
            websocket, "SUBSCRIBE_ADVANCED", subscription="device_updates", filters={"device_ids": [0x8030]}
        )
        refused = await hear(websocket, "ERROR")
        closed = await closing(websocket)

    assert confirmed["devices"] == 32
    assert {item["device_id"] for item in batch["data"]["readings"]} <= set(range(0x8000, 0x8024))
    assert refused["data"]["code"] == "PERMISSION_DENIED", "as everywhere: there is such a device"
    assert closed.rcvd is not None
    assert closed.rcvd.code == 4403


async def test_after_unsubscribing_nothing_more_comes(served: Served) -> None:
    async with served.websocket() as websocket:
        confirmed = await subscribe(
            websocket, "device_updates", filters={"device_ids": [0x8001]}, interval_ms=100
        )
        await say(websocket, "UNSUBSCRIBE", subscription_id=confirmed["subscription_id"])
        ended = await hear(websocket, "UNSUBSCRIPTION_CONFIRMED")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await websocket.recv()

    assert ended["data"]["subscription_id"] == confirmed["subscription_id"]


async def test_the_end_of_a_bulk_is_told_to_the_clients_of_its_user_alone(served: Served) -> None:
    operations = [
        {"device_id": 0x8000 + index, "operation_type": "READ", "operation_data": {"register": "TEMP"}}
        for index in range(3)
    ]
    async with served.websocket() as own, served.websocket("analyst") as other, served.http() as http:
        await say(own, "CLIENT_HEARTBEAT")
        await hear(own)
        bulk = (await http.post("/operations/bulk", json={"operations": operations})).json()
        told = await hear(own, "BULK_OPERATION_COMPLETE")
        await say(other, "CLIENT_HEARTBEAT")
        nothing = await hear(other)

    assert told["data"]["bulk_operation_id"] == bulk["bulk_operation_id"]
    assert told["data"]["status"] == "COMPLETED"
    assert told["data"]["summary"] == {"total": 3, "successful": 3, "failed": 0, "denied": 0, "timeouts": 0}
    assert nothing["type"] == "HEARTBEAT_CONFIRMED"


async def test_a_maintenance_is_told_to_everybody(served: Served) -> None:
    async with served.websocket() as websocket:
        await subscribe(websocket, "system_events")
        now = rfc3339(time.time_ns())

        async def announce() -> None:
            served.gateway.push.maintenance("new firmware", starts_at=now, ends_at=now, severity="INFO")

        await asyncio.to_thread(served.on_loop, announce())
        told = await hear(websocket, "SYSTEM_MAINTENANCE")

    assert told["data"] == {"message": "new firmware", "starts_at": now, "ends_at": now, "severity": "INFO"}


async def test_who_watches_over_security_hears_of_failed_logins_and_denials(served: Served) -> None:
    async with (
        served.websocket() as websocket,
        served.http(None) as stranger,
        served.http("analyst") as analyst,
    ):
        await subscribe(websocket, "security_alerts")
        await stranger.post("/auth/login", json={"username": "nobody", "password": "wrong"})
        first = await hear(websocket, "SECURITY_ALERT")
        await analyst.get("/audit")
        second = await hear(websocket, "SECURITY_ALERT")

    assert first["data"]["code"] == "AUTHENTICATION_FAILED"
    assert first["data"]["address"] == "127.0.0.1"
    assert second["data"]["code"] == "PERMISSION_DENIED"
    assert second["data"]["user"] == "analyst"


async def test_an_auditor_hears_of_every_record_of_the_journal(served: Served) -> None:
    async with served.websocket("admin") as websocket:
        await subscribe(websocket, "audit_events")
        await asyncio.sleep(0.7)
        await write(served, 0x8032, 9)
        intent, outcome = [await hear(websocket, "AUDIT_EVENT") for _ in range(2)]

    assert intent["data"]["outcome"] == "INTENT"
    assert outcome["data"]["outcome"] == "SUCCESS"
    assert outcome["data"]["user"] == "operator"
    assert intent["data"]["operation_id"] == outcome["data"]["operation_id"]


async def test_who_asks_faster_than_the_limit_is_told_and_held_back(served: Served) -> None:
    async with served.websocket() as websocket:
        for _ in range(230):
            await say(websocket, "CLIENT_HEARTBEAT")
        limited = await hear(websocket, "CLIENT_RATE_LIMITED")

    assert limited["data"]["retry_after"] > 0
    assert "per second" in limited["data"]["limit"]


async def test_binary_frames_are_read_like_text(served: Served) -> None:
    async with served.websocket() as websocket:
        await websocket.send(json.dumps({"type": "CLIENT_HEARTBEAT", "id": "b"}).encode())
        answer = await hear(websocket)

    assert answer["type"] == "HEARTBEAT_CONFIRMED"
    assert answer["id"] == "b"
