"""The endpoints of the contract over real sockets: pages, fields, idempotency, health, metrics, emergency."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from dsmilctl.config.paths import Paths
from dsmilctl.server.routes import ENDPOINTS
from tests.server.served import Served, hear, subscribe

WHY = "the test of a contract needs it"


def operation(kind: str = "WRITE", **data: object) -> dict[str, object]:
    return {"operation_type": kind, "operation_data": data, "justification": WHY}


async def test_status_and_capabilities_are_those_of_the_contract(served: Served) -> None:
    async with served.http() as http:
        status = (await http.get("/system/status")).json()
        able = (await http.get("/system/capabilities")).json()

    assert status["overall_status"] in {"NORMAL", "WARNING", "CRITICAL", "EMERGENCY"}
    assert status["api_version"] == able["api_version"] == "2.0"
    assert {"total_devices", "active_devices", "quarantined_devices", "error_devices"} <= set(
        status["device_summary"]
    )
    assert able["rate_limits"]["bulk_operation_max_devices"] == 84
    assert "STREAMING_READ" in able["supported_operations"]


async def test_pages_of_the_list_hold_every_device_once(served: Served) -> None:
    found: list[int] = []
    async with served.http("admin") as http:
        more, offset = True, 0
        while more:
            page = (await http.get(f"/devices?limit=17&offset={offset}&include_quarantined=true")).json()
            found += [device["device_id"] for device in page["devices"]]
            more, offset = page["pagination"]["has_more"], offset + page["pagination"]["returned"]

    assert sorted(found) == list(range(0x8000, 0x8054))
    assert page["pagination"]["total"] == 84
    assert page["meta"] == {"accessible_devices": 79, "quarantined_devices": 5, "user_authorized_devices": 84}


async def test_fields_choose_what_a_device_shows(served: Served) -> None:
    async with served.http() as http:
        page = (await http.get("/devices?limit=2&fields=device_id,risk_level")).json()
        wrong = await http.get("/devices?fields=device_id,risk")

    assert [set(device) for device in page["devices"]] == [{"device_id", "risk_level"}] * 2
    assert wrong.status_code == 422
    assert "risk_level" in wrong.json()["error"]["details"]["hint"]


@pytest.mark.parametrize("path", ["32769", "0x8001", "0X8001"])
async def test_a_device_is_named_in_decimal_or_hex(served: Served, path: str) -> None:
    async with served.http() as http:
        device = (await http.get(f"/devices/{path}")).json()
        registers = (await http.get(f"/devices/{path}/registers")).json()["registers"]

    assert device["device_id"] == 0x8001
    assert {"STATUS", "CONFIG", "DATA", "TEMP", "VOLTAGE", "ERROR"} <= {item["name"] for item in registers}


async def test_a_write_is_read_back_and_stands_in_the_history(served: Served) -> None:
    async with served.http() as http:
        done = await http.post(
            "/devices/0x8033/operations", json=operation(register="CONFIG", value="0x0000BEEF")
        )
        read = (
            await http.post("/devices/0x8033/operations", json=operation("READ", register="CONFIG"))
        ).json()
        history = (await http.get("/devices/0x8033/history?limit=1&operation_type=WRITE")).json()

    answer = done.json()
    assert done.status_code == 200
    assert (answer["status"], read["result"]["data"]) == ("SUCCESS", "0x0000BEEF")
    assert answer["user_id"]
    assert answer["authorization"]["clearance_verified"] is True
    assert history["operations"][0]["operation_id"] == answer["operation_id"]


async def test_the_same_key_gives_the_first_answer_again_and_another_body_is_a_conflict(
    served: Served,
) -> None:
    key = {"Idempotency-Key": "one-write"}
    async with served.http() as http, served.http("admin") as other:
        path, body = "/devices/0x8034/operations", operation(register="CONFIG", value=7)
        first = await http.post(path, json=body, headers=key)
        again = await http.post(path, json=body, headers=key)
        another = await http.post(path, json=operation(register="CONFIG", value=8), headers=key)
        elsewhere = await http.post("/devices/0x8035/operations", json=body, headers=key)
        somebody = await other.post(path, json=body, headers=key)

    assert first.json()["operation_id"] == again.json()["operation_id"]
    assert again.headers["idempotent-replay"] == "true"
    assert (another.status_code, another.json()["error"]["code"]) == (409, "CONFLICT")
    assert elsewhere.status_code == 409, "another device is another request"
    assert somebody.json()["operation_id"] != first.json()["operation_id"]


async def test_duplicates_at_the_same_time_are_carried_out_once(served: Served) -> None:
    body = operation(register="CONFIG", value=0x77)
    async with served.http() as http:
        answers = await asyncio.gather(
            *(
                http.post("/devices/0x8036/operations", json=body, headers={"Idempotency-Key": "twenty"})
                for _ in range(20)
            )
        )
        history = (await http.get("/devices/0x8036/history")).json()["operations"]

    assert {answer.json()["operation_id"] for answer in answers} == {history[0]["operation_id"]}
    assert len(history) == 1


async def test_a_bulk_refuses_per_item_and_can_be_asked_for_again(served: Served) -> None:
    items = [{"device_id": device, "operation_type": "READ"} for device in (0x8001, 0x8009, 0x8053)]
    async with served.http() as http, served.http("analyst") as other:
        bulk = await http.post("/operations/bulk", json={"operations": items})
        kept = await http.get(f"/operations/bulk/{bulk.json()['bulk_operation_id']}")
        stranger = await other.get(f"/operations/bulk/{bulk.json()['bulk_operation_id']}")

    assert bulk.status_code == 200
    assert bulk.json()["status"] == "PARTIAL"
    assert [item["status"] for item in bulk.json()["results"]] == ["SUCCESS", "DENIED", "DENIED"]
    assert kept.json() == bulk.json()
    assert stranger.status_code == 404


async def test_a_refused_item_says_which_check_it_did_not_pass(served: Served) -> None:
    read = {"operation_type": "READ", "operation_data": {"register": "TEMP"}}
    write = {
        "operation_type": "WRITE",
        "operation_data": {"register": "CONFIG", "value": 5},
        "justification": "short",
    }
    items = [{"device_id": 0x8001} | read, {"device_id": 0x8050} | read, {"device_id": 7} | read]
    async with served.http() as http:
        bulk = (await http.post("/operations/bulk", json={"operations": items})).json()
        empty = (await http.post("/operations/bulk", json={"operations": [{"device_id": 1} | write]})).json()

    passed = [
        (item["authorization"]["clearance_verified"], item["authorization"]["device_access_verified"])
        for item in bulk["results"]
    ]
    assert [item["error_code"] for item in bulk["results"]] == ["", "PERMISSION_DENIED", "DEVICE_NOT_FOUND"]
    assert passed == [(True, True), (False, False), (False, False)]
    assert all(item["timestamp"] for item in bulk["results"])
    assert bulk["results"][2]["error"] == "no device 0x0007"
    assert empty["error"]["code"] == "JUSTIFICATION_REQUIRED"


async def test_a_reading_carries_its_number_and_what_the_device_sent(served: Served) -> None:
    read = {"operation_type": "READ", "operation_data": {"registers": ["TEMP", "STATUS"]}}
    async with served.http() as http:
        first = (await http.post("/devices/0x8001/operations", json=read)).json()["result"]
        second = (await http.post("/devices/0x8001/operations", json=read)).json()["result"]

    numbers = [item["sequence"] for result in (first, second) for item in result["values"]]
    assert numbers == sorted(set(numbers)), "one more for each reading"
    assert first["raw"] is None, "what these devices send is the value"


async def test_an_id_that_no_device_can_have_is_malformed_wherever_it_stands(served: Served) -> None:
    ids: list[object] = [-1, 1 << 32, "a\x00b", "", "a\nb", 0xFFFF]
    reads = [{"device_id": item, "operation_type": "READ"} for item in ids]
    async with served.http("admin") as http:
        bulk = (await http.post("/operations/bulk", json={"operations": reads})).json()
        wish = await http.post(
            "/approvals", json={"device_id": -1, "operation_type": "READ", "justification": WHY}
        )

    codes = [item["error_code"] for item in bulk["results"]]
    assert codes == ["INVALID_PARAMETER"] * 5 + ["DEVICE_NOT_FOUND"]
    assert bulk["results"][0]["error"] == "device id -1 is out of bounds"
    assert wish.status_code == 422


async def test_every_device_that_is_listed_can_be_named(home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSMIL_SIM_OPTIONS", '{"devices": 40000}')
    with Served() as server:
        async with server.http("admin") as http:
            last = (await http.get("/devices?offset=39994&fields=device_id")).json()["devices"][-1]
            device = (await http.get(f"/devices/{last['device_id']}")).json()

    assert last["device_id"] == device["device_id"] == 0x8000 + 39_999


async def test_a_device_tells_how_it_has_fared(served: Served) -> None:
    before = datetime.now(UTC)
    async with served.http() as http:
        await http.post("/devices/0x8022/operations", json={"operation_type": "READ"})
        device = (await http.get("/devices/0x8022")).json()

    fared = device["performance_metrics"]
    assert fared["average_response_time_ms"] > 0
    assert fared["success_rate_percent"] == 100
    assert datetime.fromisoformat(fared["last_accessed"]) >= before - timedelta(seconds=1)
    assert device["hardware_info"]["firmware_version"] == device["hardware_info"]["firmware"]


async def test_the_history_has_reads_and_changes_newest_first_and_by_kind(served: Served) -> None:
    async with served.http() as http:
        await http.post("/devices/0x803B/operations", json=operation("READ", register="TEMP"))
        await http.post("/devices/0x803B/operations", json=operation("WRITE", register="CONFIG", value=7))
        await http.post(
            "/operations/bulk",
            json={
                "operations": [
                    {"device_id": 0x803B, "operation_type": "READ", "operation_data": {"register": "STATUS"}}
                ]
            },
        )
        whole = (await http.get("/devices/0x803B/history")).json()
        reads = (await http.get("/devices/0x803B/history?operation_type=READ&limit=1")).json()
        early = (await http.get("/devices/0x803B/history?end_date=2025-01-15")).json()
        wrong = await http.get("/devices/0x803B/history?operation_type=PAINT")

    kinds = [item["operation_type"] for item in whole["operations"]]
    assert kinds == ["READ", "WRITE", "READ"]
    assert whole["operations"][0]["result"]["register"] == "STATUS"
    assert whole["operations"][2]["user_id"] == "operator"
    assert reads["pagination"] == {"total": 2, "returned": 1, "offset": 0, "has_more": True}
    assert early["operations"] == []
    assert wrong.status_code == 422
    assert "COMMAND" in wrong.json()["error"]["details"]["hint"]


async def test_health_tells_a_stranger_only_whether_all_is_well(served: Served) -> None:
    async with served.http(None) as stranger, served.http() as http:
        little = (await stranger.get("/monitoring/health")).json()
        much = (await http.get("/monitoring/health")).json()

    assert little == {"status": "healthy"}
    assert {"authentication", "websockets", "journal"} <= set(much["components"])
    assert {"database", "device_controllers"} <= set(much["components"]), "the names of the API"
    assert {"response_time_ms", "active_clients", "operations_per_second"} <= set(much["metrics"])


async def test_metrics_are_in_the_text_format_of_prometheus(served: Served) -> None:
    async with served.http() as http:
        await http.get("/devices?limit=1")
        answer = await http.get("/monitoring/metrics")

    sample = re.compile(r'[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? [0-9.e+-]+')
    typed: dict[str, str] = {}
    names: list[str] = []
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in typed, f"{name} is declared twice"
            typed[name] = kind
        elif not line.startswith("#"):
            assert sample.fullmatch(line), line
            names.append(re.split(r"[ {]", line)[0])
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert len(names) == len({line for line in answer.text.splitlines() if not line.startswith("#")})
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in names} <= set(typed)
    assert typed["dsmil_http_requests_total"] == "counter"
    assert 'route="/devices"' in answer.text


async def test_the_document_is_for_everybody_and_names_every_endpoint(served: Served) -> None:
    async with served.http(None) as http:
        document = (await http.get("/openapi.json")).json()

    assert document["openapi"].startswith("3.1")
    for endpoint in ENDPOINTS:
        described = document["paths"][endpoint.full_path][endpoint.method.lower()]
        assert bool(described.get("security")) is endpoint.login
    assert "text/event-stream" in document["paths"]["/api/v2/stream"]["get"]["responses"]["200"]["content"]


async def test_a_stop_reaches_every_client_at_once_and_needs_the_highest_to_release(served: Served) -> None:
    async with served.websocket("analyst") as websocket, served.http() as http, served.http("admin") as admin:
        await subscribe(websocket, "system_events")
        order = {"justification": "smoke", "scope": "SINGLE_DEVICE", "target_devices": [0x8038]}
        stop = await http.post("/emergency/stop", json=order)
        told = await hear(websocket, "EMERGENCY_BROADCAST")
        status = (await http.get("/emergency/status")).json()
        held = await http.post("/devices/0x8038/operations", json=operation(register="CONFIG", value=1))
        free = await http.post("/devices/0x8039/operations", json=operation(register="CONFIG", value=1))
        refused = await http.post("/emergency/release", json={"justification": WHY})
        async with served.websocket() as late:
            again = await hear(late)
        released = await released_by(admin, stop.json()["stop_id"])
        after = await http.post("/devices/0x8038/operations", json=operation(register="CONFIG", value=1))
        history = (await http.get("/emergency/history")).json()

    assert stop.json()["confirmed"] == [0x8038]
    assert told["data"]["stop_id"] == again["data"]["stop_id"] == stop.json()["stop_id"]
    assert told["data"]["severity"] == "CRITICAL"
    assert "smoke" in told["data"]["message"]
    assert status["is_active"] is True
    assert (held.status_code, held.json()["error"]["code"]) == (503, "EMERGENCY_STOP")
    assert held.json()["error"]["details"]["stop_id"] == stop.json()["stop_id"]
    assert free.status_code == 200
    assert refused.status_code == 403
    assert released.status_code == 200, released.text
    assert after.status_code == 200
    assert history["stops"][0]["released_by"]


async def released_by(admin: httpx.AsyncClient, stop_id: str) -> httpx.Response:
    return await admin.post("/emergency/release", json={"stop_id": stop_id, "justification": WHY})


async def test_a_stop_that_is_to_be_quiet_is_told_to_nobody(served: Served) -> None:
    async with served.websocket() as websocket, served.http() as http, served.http("admin") as admin:
        await subscribe(websocket, "system_events")
        order = {
            "justification": "a quiet one", "scope": "SINGLE_DEVICE", "target_devices": [0x8039],
            "notify_all_clients": False,
        }  # fmt: skip
        stop = await http.post("/emergency/stop", json=order)
        await released_by(admin, stop.json()["stop_id"])
        heard = [await hear(websocket) for _ in range(2)]

    assert "EMERGENCY_BROADCAST" not in [message["type"] for message in heard]


async def test_a_refusal_about_a_device_names_it_in_its_details(served: Served) -> None:
    async with served.http("admin") as http:
        read = {"operation_type": "READ", "operation_data": {"register": "TEMP"}}
        quarantined = await http.post("/devices/0x8009/operations", json=read)
        unknown = await http.get("/devices/0x9999")

    assert (quarantined.status_code, unknown.status_code) == (423, 404)
    assert quarantined.json()["error"]["details"]["device_id"] == 0x8009
    assert unknown.json()["error"]["details"]["device_id"] == 0x9999
