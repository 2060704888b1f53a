"""`dsmilctl sim serve`, as a process: its first minute, its rules, and what a killed one leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.config.paths import Paths
from dsmilctl.testing.simulator import DeviceSimulator
from tests.server.served import PASSWORDS, PATIENCE, TLS

ROOT = Path(__file__).parents[2]
WHY = "what a test of the simulator asks for"
WRITE = {
    "operation_type": "WRITE",
    "operation_data": {"register": "CONFIG", "value": "0x9"},
    "justification": WHY,
}
CRITICAL = "/devices/0x8001/operations"


def command(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """A command line of ours, and its environment."""
    return [sys.executable, "-m", "dsmilctl", *arguments], os.environ | {"PYTHONPATH": str(ROOT)}


@contextmanager
def started(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server's address and process, which is killed at the end."""
    line, environment = command("-o", "json", *arguments)
    process = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        first = process.stdout.readline()
        assert first, process.stderr.read()
        yield json.loads(first)["url"], process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def simulator(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A simulator's address and process."""
    with started("sim", "serve", "--port", "0", *options) as found:
        yield found


class Person(httpx.Client):
    """Somebody who is logged in."""

    def __init__(self, url: str, user: str) -> None:
        body = {"username": user, "password": PASSWORDS[user]}
        answer = httpx.post(f"{url}/api/v2/auth/login", json=body, timeout=PATIENCE, verify=TLS)
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        super().__init__(base_url=f"{url}/api/v2", headers=headers, timeout=PATIENCE, verify=TLS)


def code(answer: httpx.Response) -> str:
    """The code of a refusal; an empty text for none."""
    error: dict[str, Any] = answer.json().get("error") or {}
    return str(error["code"]) if isinstance(error, dict) else ""


def test_a_new_user_is_told_the_address_and_who_may_come_in(home: Paths) -> None:
    line, environment = command("sim", "serve", "--port", "0")
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        first, second = process.stderr.readline(), process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        ended = process.wait(PATIENCE)

    assert re.match(r"listening on http://127\.0\.0\.1:\d+, API at http://127\.0\.0\.1:\d+/api/v2", first)
    assert "operator / dsmil_op_2024" in second
    assert "supervisor / dsmil_super_2024" in second
    assert (ended, rest) == (143, "")


def test_a_simulator_guards_its_devices_as_a_real_server_does(home: Paths) -> None:
    with simulator() as (url, _), Person(url, "operator") as operator, Person(url, "supervisor") as second:
        alone = operator.post(CRITICAL, json=WRITE)
        configured = operator.post(
            "/devices/0x8030/operations",
            json={"operation_type": "CONFIG", "operation_data": {"settings": {"a": 1}}},
        )
        asked = operator.post("/approvals", json=WRITE | {"device_id": 0x8001}).json()
        own = operator.post(f"/approvals/{asked['approval_id']}/approve", json={"justification": WHY})
        given = second.post(f"/approvals/{asked['approval_id']}/approve", json={"justification": WHY})
        done = operator.post(CRITICAL, json=WRITE | {"approval_id": asked["approval_id"]})
        twice = operator.post(CRITICAL, json=WRITE | {"approval_id": asked["approval_id"]})
        reads = [operator.post(CRITICAL, json={"operation_type": "READ"}) for _ in range(40)]

    assert code(alone) == code(configured) == code(twice) == "APPROVAL_REQUIRED"
    assert alone.json()["error"]["details"]["approval_url"] == "/api/v2/approvals"
    assert (own.status_code, given.json()["status"]) == (403, "APPROVED")
    assert done.json()["authorization"]["dual_auth_completed"] is True
    assert {answer.status_code for answer in reads} == {200, 429}, "twenty at once, then two a second"


def test_who_wants_neither_approvals_nor_limits_says_so(home: Paths) -> None:
    quarantined = "/devices/0x8009/operations"
    with simulator("--no-approvals", "--no-rate-limit") as (url, _), Person(url, "admin") as admin:
        written = admin.post(CRITICAL, json=WRITE)
        reads = [admin.post(CRITICAL, json={"operation_type": "READ"}) for _ in range(40)]
        kept = admin.post(quarantined, json={"operation_type": "READ", "justification": WHY})
        limits = admin.get("/system/capabilities").json()["rate_limits"]

    assert written.json()["status"] == "SUCCESS"
    assert {answer.status_code for answer in reads} == {200}
    assert code(kept) == "DEVICE_QUARANTINED", "whatever else is off"
    assert (limits["requests_per_minute"], limits["concurrent_operations"]) == (None, None)


@pytest.mark.parametrize("strict", [False, True])
async def test_a_simulator_for_tests_of_programs_asks_for_a_second_person_only_if_told(
    home: Paths, strict: bool
) -> None:
    chosen = DeviceSimulator(approvals=True, rate_limiting=True) if strict else DeviceSimulator()
    async with chosen as running, DSMILClient(running.url, max_retries=0) as client:
        (await client.authenticate("admin", PASSWORDS["admin"])).raise_for_status()
        written = await client.write_device(0x8001, "CONFIG", 5, justification=WHY)
        limits = (await client.get_capabilities()).rate_limits

    assert written.success is not strict
    assert written.error_code == ("APPROVAL_REQUIRED" if strict else "")
    assert limits["concurrent_operations"] == (10 if strict else None)


def test_a_second_simulator_on_the_same_fleet_ends_with_status_7(home: Paths) -> None:
    with simulator() as (url, process):
        line, environment = command("sim", "serve", "--port", "0")
        second = subprocess.run(
            line, capture_output=True, text=True, env=environment, timeout=60, check=False
        )
        still = httpx.get(f"{url}/api/v2/monitoring/health", timeout=PATIENCE, verify=TLS)

    assert second.returncode == 7
    assert f"process {process.pid}" in second.stderr
    assert still.status_code == 200


def test_a_port_that_is_taken_is_named(home: Paths) -> None:
    with simulator() as (url, _):
        port = url.rpartition(":")[2]
        line, environment = command("sim", "serve", "--port", port)
        environment["DSMIL_HOME"] = str(home.state.parent / "another")
        second = subprocess.run(
            line, capture_output=True, text=True, env=environment, timeout=60, check=False
        )

    assert second.returncode == 7
    assert port in second.stderr
    assert "--port 0" in second.stderr


@pytest.mark.parametrize("moment", ["after the stop", "in the middle of its release"])
def test_a_simulator_that_is_killed_keeps_its_stop_or_its_release_and_nothing_between(
    home: Paths, moment: str
) -> None:
    with simulator() as (url, process), Person(url, "admin") as admin, ThreadPoolExecutor(1) as threads:
        stop = admin.post("/emergency/stop", json={"justification": "smoke"}).json()["stop_id"]
        answer = None
        if moment != "after the stop":
            answer = threads.submit(released, admin)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        ended = answer.result(PATIENCE) if answer else False

    with simulator() as (url, _), Person(url, "admin") as admin:
        status = admin.get("/emergency/status").json()
        history = admin.get("/emergency/history").json()["stops"]
        write = admin.post("/devices/0x8040/operations", json=WRITE)
        records = admin.get("/audit?limit=100").json()["records"]

    assert [item["stop_id"] for item in history] == [stop]
    assert code(write) == ("EMERGENCY_STOP" if status["is_active"] else "")
    assert status["is_active"] is (history[0]["released_at"] is None)
    if ended:
        assert not status["is_active"], "what was answered holds"
    if moment == "after the stop":
        assert status["is_active"]
    numbers = [record["sequence"] for record in records]
    assert numbers == list(range(len(numbers), 0, -1)), "the journal has no hole"


def released(admin: httpx.Client) -> bool:
    """Whether the release was answered."""
    try:
        return admin.post("/emergency/release", json={"justification": WHY}).status_code == 200
    except httpx.HTTPError:
        return False
