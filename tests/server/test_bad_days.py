"""Bad days of a server: clocks that jump, two clients and one stop, files of others, hostile names."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.config.paths import Paths
from dsmilctl.drivers.sim import SimDriver
from dsmilctl.errors import HardwareError
from dsmilctl.model.device import Device
from dsmilctl.server import serve as serving
from dsmilctl.server.routes import emergency
from tests.server.doors import LOW, MEDIUM, WHY, Doors, Wall, code, doors, users_file
from tests.server.served import PATIENCE

DAY = 86_400.0


# Clocks, tokens and patience


@pytest.mark.parametrize("jump", [DAY, -DAY])
async def test_a_clock_that_jumps_by_a_day_costs_at_most_one_refresh(home: Paths, jump: float) -> None:
    clock = Wall()
    async with doors(clock=clock) as server:
        tokens = (await server.login("operator")).json()
        clock.ahead = jump
        answer = await server.ask("", "GET", "/auth/whoami", token=tokens["access_token"])
        renewed = await server.ask("", "POST", "/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        fresh = await server.ask("", "GET", "/auth/whoami", token=renewed.json()["access_token"])
        again = await server.login("operator")

    assert answer.status_code == 200 or code(answer) == (401, "TOKEN_EXPIRED")
    assert renewed.status_code == 200, renewed.text
    assert fresh.status_code == 200, fresh.text
    assert again.status_code == 200


async def test_a_loop_of_bad_tokens_locks_nobody_out_and_costs_no_hash(home: Paths) -> None:
    async with doors(limits=True) as server:
        token = await server.token("operator")
        forged = token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")
        answers = [await server.ask("", "GET", "/auth/whoami", token=forged) for _ in range(50)]
        refreshed = [
            await server.ask("", "POST", "/auth/refresh", {"refresh_token": f"guess-{number}"})
            for number in range(20)
        ]
        login = await server.login("operator")
        still = await server.ask("operator", "GET", "/auth/whoami")

    assert {code(answer) for answer in answers} == {(401, "AUTHENTICATION_FAILED")}
    assert {answer.status_code for answer in refreshed} == {401}
    assert login.status_code == still.status_code == 200


async def test_an_expired_token_stops_nothing_but_its_refresh_does_at_once(home: Paths) -> None:
    clock = Wall()
    async with doors(clock=clock) as server:
        tokens = (await server.login("analyst")).json()
        clock.advance(3601 - 1800)
        await server.ask("", "GET", "/auth/whoami", token=tokens["access_token"])
        clock.advance(1801)
        refused = await server.ask(
            "", "POST", "/emergency/stop", {"justification": "smoke"}, token=tokens["access_token"]
        )
        renewed = await server.ask("", "POST", "/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        stopped = await server.ask(
            "", "POST", "/emergency/stop", {"justification": "smoke"}, token=renewed.json()["access_token"]
        )

    assert code(refused) == (401, "TOKEN_EXPIRED")
    assert stopped.status_code == 200


# Two clients and one stop


async def test_the_stop_of_one_client_breaks_off_the_bulk_of_another(home: Paths) -> None:
    slow = [f"slow:0x{0x8024 + index:04X}:0.3" for index in range(5)]
    writes = [
        {"device_id": 0x8024 + index, "operation_type": "WRITE",
         "operation_data": {"register": "CONFIG", "value": 77}}
        for index in range(5)
    ]  # fmt: skip
    held = {"register": "CONFIG"}
    async with doors(driver={"faults": slow}) as server:
        await server.token("analyst")
        request = {"operations": writes, "justification": WHY, "execution_mode": "SEQUENTIAL"}
        bulk = asyncio.create_task(server.ask("operator", "POST", "/operations/bulk", request))
        async with asyncio.timeout(PATIENCE):
            while (await server.read("ada", 0x8024, operation_data=held)).json()["result"]["value"] != 77:
                await asyncio.sleep(0.02)
        stop = await server.ask("analyst", "POST", "/emergency/stop", {"justification": "smoke"})
        found = (await bulk).json()
        late = await server.write("ada", MEDIUM)
        status = (await server.ask("operator", "GET", "/emergency/status")).json()
        records = await writes_of(server)

    codes = [result["error_code"] for result in found["results"]]
    assert codes[0] == ""
    assert codes[-1] == "EMERGENCY_STOP"
    assert "" not in codes[codes.index("EMERGENCY_STOP") :], "nothing was written once it was stopped"
    assert code(late) == (503, "EMERGENCY_STOP")
    assert status["stops"][0]["stop_id"] == stop.json()["stop_id"]
    begun, ended = (
        {item["operation_id"] for item in records if (item["outcome"] == "INTENT") is begun}
        for begun in (True, False)
    )
    assert begun <= ended, "every change that was begun has an end in the journal"


async def writes_of(server: Doors) -> list[dict[str, Any]]:
    return [item for item in await server.journal() if item["action"] == "device.write"]


async def test_a_write_that_went_wrong_is_not_repeated_by_its_key_and_a_refused_one_may_be(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, why, other = MEDIUM, {"idempotency-key": "shift-17"}, {"idempotency-key": "shift-18"}
    told, write = [], SimDriver.write

    async def telling(driver: SimDriver, device: Device, *how: Any) -> Any:
        told.append(device.device_id)
        if device.device_id == broken:
            raise HardwareError("the relay did not close", device_id=broken)
        return await write(driver, device, *how)

    monkeypatch.setattr(SimDriver, "write", telling)
    async with doors() as server:
        body = {"operation_type": "WRITE", "operation_data": {"register": "CONFIG", "value": 5}}
        path = f"/devices/{broken}/operations"
        first = await server.ask("ada", "POST", path, body, **why)
        again = await server.ask("ada", "POST", path, body, **why)
        stop = await server.ask("ada", "POST", "/emergency/stop", {})
        refused = await server.ask("ada", "POST", f"/devices/{LOW}/operations", body, **other)
        await server.ask("ada", "POST", "/emergency/release", {"justification": WHY})
        passed = await server.ask("ada", "POST", f"/devices/{LOW}/operations", body, **other)

    assert code(first) == code(again) == (502, "HARDWARE_ERROR")
    operation = first.json()["error"]["details"]["operation"]
    assert again.json()["error"]["details"]["operation"] == operation
    assert told == [broken, LOW]
    assert stop.status_code == 200
    assert (code(refused), passed.status_code) == ((503, "EMERGENCY_STOP"), 200)


async def test_who_gives_an_operation_too_little_time_is_told_so_and_a_change_is_not_repeated(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, key = [], {"idempotency-key": "shift-19"}

    async def hanging(driver: SimDriver, device: Device, *how: Any) -> None:
        told.append(device.device_id)
        await asyncio.sleep(PATIENCE)

    monkeypatch.setattr(SimDriver, "write", hanging)
    async with doors(driver={"faults": [f"slow:0x{LOW:04X}:1.5"]}) as server:
        read = await server.read("ada", LOW, timeout_ms=50)
        data = {"register": "CONFIG", "value": 5}
        body = {"operation_type": "WRITE", "operation_data": data, "timeout_ms": 300}
        path = f"/devices/{MEDIUM}/operations"
        first = await server.ask("ada", "POST", path, body, **key)
        again = await server.ask("ada", "POST", path, body, **key)
        outcomes = [item["outcome"] for item in await writes_of(server)]

    assert code(read) == code(first) == code(again) == (504, "TIMEOUT")
    assert "within 50 ms" in read.json()["error"]["message"]
    assert first.json()["error"]["details"]["device_id"] == MEDIUM
    assert told == [MEDIUM]
    assert outcomes == ["UNKNOWN", "INTENT"]


@pytest.mark.parametrize("deadline", [-5, 1e300])
async def test_a_stop_with_a_deadline_that_makes_no_sense_is_answered_all_the_same(
    home: Paths, monkeypatch: pytest.MonkeyPatch, deadline: float
) -> None:
    monkeypatch.setattr(emergency, "LONGEST_DEADLINE", 0.5)
    async with doors(driver={"faults": [f"silent:0x{MEDIUM:04X}"]}) as server:
        stop = await server.ask("analyst", "POST", "/emergency/stop", {"deadline_s": deadline})

    assert stop.status_code == 200
    assert stop.json()["unconfirmed"] == [MEDIUM]


async def test_anybody_may_stop_any_device_and_a_number_that_is_none_is_said_and_not_latched(
    home: Paths,
) -> None:
    async with doors() as server:
        one = {"scope": "SINGLE_DEVICE", "target_devices": [LOW]}
        stop = await server.ask("analyst", "POST", "/emergency/stop", one)
        wrong = await server.ask(
            "analyst", "POST", "/emergency/stop", one | {"target_devices": [MEDIUM, 0x9999]}
        )
        held, free = await server.write("ada", LOW), await server.write("ada", MEDIUM)
        status = (await server.ask("ada", "GET", "/emergency/status")).json()

    assert stop.json()["confirmed"] == stop.json()["target_devices"] == [LOW]
    assert code(wrong) == (404, "DEVICE_NOT_FOUND")
    assert "0x9999" in wrong.json()["error"]["message"]
    assert (code(held), free.status_code) == ((503, "EMERGENCY_STOP"), 200)
    assert [item["stop_id"] for item in status["stops"]] == [stop.json()["stop_id"]]


async def test_a_stop_of_one_client_is_released_by_another_with_the_rank_and_a_reason(home: Paths) -> None:
    async with doors() as server:
        stop = (await server.ask("analyst", "POST", "/emergency/stop", {"justification": "x"})).json()
        tries = [
            await server.ask(user, "POST", "/emergency/release", {"stop_id": stop["stop_id"], **body})
            for user, body in (
                ("operator", {"justification": WHY}), ("ada", {}), ("ada", {"justification": " " * 40}),
            )
        ]  # fmt: skip
        seen = (await server.ask("operator", "GET", "/emergency/status")).json()
        released = await server.ask("ada", "POST", "/emergency/release", {"justification": WHY})
        after = (await server.ask("operator", "GET", "/emergency/status")).json()

    assert [code(answer) for answer in tries] == [
        (403, "PERMISSION_DENIED"), (422, "JUSTIFICATION_REQUIRED"), (422, "JUSTIFICATION_REQUIRED"),
    ]  # fmt: skip
    assert seen["is_active"]
    assert released.json()["released_by"].startswith("ada")
    assert not after["is_active"]


# What is kept, and who may read it


async def test_whatever_a_server_keeps_is_for_its_user_alone(home: Paths, tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        users = users_file(tmp_path / "kept")
        async with doors(users=users) as server:
            await server.approved()
            await server.write("ada", MEDIUM)
            await server.ask("ada", "POST", "/emergency/stop", {})
    finally:
        os.umask(mask)

    folders = [home.state, home.data, tmp_path / "kept"]
    kept = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(kept) > 3
    open_to_others = [str(path) for path in kept if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert open_to_others == []


async def test_users_that_others_can_read_let_nobody_in(home: Paths, tmp_path: Path) -> None:
    users = users_file(tmp_path)
    async with doors(users=users) as server:
        assert (await server.login("ada")).status_code == 200
        (tmp_path / "users.json").chmod(0o644)
        refused = await server.login("ada")

    assert code(refused) == (503, "STATE_UNAVAILABLE")
    assert "$argon2" not in refused.text


async def test_users_that_cannot_be_read_keep_nobody_from_a_stop(home: Paths, tmp_path: Path) -> None:
    users = users_file(tmp_path)
    async with doors(users=users) as server:
        await server.token("analyst")
        gone = await server.token("visitor")
        users.change("visitor", disabled=True)
        (tmp_path / "users.json").write_text("[{")
        status = await server.ask("analyst", "GET", "/emergency/status")
        disabled = await server.ask("", "POST", "/emergency/stop", {}, token=gone)
        stop = await server.ask("analyst", "POST", "/emergency/stop", {"justification": "smoke"})

    assert code(status) == (503, "STATE_UNAVAILABLE")
    assert disabled.status_code == 401, "who was put out before stays out"
    assert stop.status_code == 200
    assert stop.json()["unconfirmed"] == []


# Hostile names

HOSTILE = [
    "\x1b[31mroot\x1b[0m", "[bold red]root[/]", "\u202egnol si siht", "line\n2026-01-01 error forged",
    "nul\x00", "=cmd|' /C calc'!A1", "../../../etc/passwd", "'; DROP TABLE users; --", "x" * 65_536,
    "{0.__class__}", "%s%n",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_text_is_inert_wherever_it_comes_in(
    home: Paths, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    caplog.set_level("DEBUG")
    async with doors() as server:
        login = await server.login(text, text, client_version=text)
        write = await server.write("operator", MEDIUM, justification=f"why: {text}")
        stop = await server.ask("ada", "POST", "/emergency/stop", {"justification": text})
        wish = await server.wish("ada", command=text)
        path = await server.ask("ada", "GET", f"/devices/{base64.b16encode(text.encode())[:100].decode()}")
        journal = await server.journal()
        status = await server.ask("ada", "GET", "/emergency/status")

    assert login.status_code in (401, 422), login.text
    assert write.status_code in (200, 422)
    assert stop.status_code == 200, "any reason is accepted"
    assert wish.status_code in (201, 422)
    assert path.status_code in (404, 422)
    assert status.json()["is_active"]
    assert all(isinstance(record, dict) for record in journal)
    logged = "".join(record.getMessage() for record in caplog.records if record.name.startswith("dsmilctl"))
    assert "\x1b" not in logged
    assert not re.search(r"[\u202a-\u202e\u2066-\u2069]", logged)
    assert "forged" not in logged.replace(repr(text), "")


def test_the_server_leaves_no_certificate_unverified() -> None:
    root = Path(serving.__file__).parents[1]
    sources = {path: path.read_text() for path in root.rglob("*.py")}
    lax = [str(path) for path, text in sources.items() if re.search(r"verify=False|_create_unverified", text)]

    assert lax == []
    assert ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).minimum_version <= ssl.TLSVersion.TLSv1_2
