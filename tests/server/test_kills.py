"""A server that is killed, restarted, doubled: what was latched stays latched, what was written is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from dsmilctl.config.paths import Paths
from dsmilctl.errors import Conflict
from dsmilctl.server.fleet_lock import FleetLock
from tests.server.served import PASSWORDS, PATIENCE, TLS

PROGRAM = """
import asyncio, sys
from dsmilctl.client.opening import connect
from dsmilctl.config.paths import paths
from dsmilctl.server.assembly import assemble
from dsmilctl.server.fleet_lock import FleetLock
from dsmilctl.server.serve import Listening, serve
from tests.server.served import UNLIMITED, accounts

def ready(url):
    print(url, flush=True)

with FleetLock(paths(), "sim"):
    app, _ = assemble(connect("sim"), accounts(), UNLIMITED)
    asyncio.run(serve(app, Listening(), ready))
"""
WHY = "what a test does before it kills the server"


@contextmanager
def server_process(home: Paths) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server in a process of its own: its URL and the process, killed at the end."""
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, process.stderr.read() if process.stderr else ""
        yield url, process
    finally:
        process.kill()
        process.communicate()


def as_admin(url: str) -> httpx.Client:
    body = {"username": "admin", "password": PASSWORDS["admin"]}
    tokens = httpx.post(f"{url}/api/v2/auth/login", json=body, timeout=PATIENCE, verify=TLS).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return httpx.Client(base_url=f"{url}/api/v2", headers=headers, timeout=PATIENCE, verify=TLS)


def verified(home: Paths) -> dict[str, Any]:
    """What `audit verify` says of the journal."""
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "dsmilctl", "-C", "sim", "-o", "json", "audit", "verify"],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": root}, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_stop_outlives_the_server_that_was_killed_right_after_it(home: Paths) -> None:
    with server_process(home) as (url, process), as_admin(url) as http:
        stop = http.post("/emergency/stop", json={"justification": "smoke"}).json()
        process.send_signal(signal.SIGKILL)
        process.wait()

    with server_process(home) as (url, _), as_admin(url) as http:
        status = http.get("/emergency/status").json()
        body = {
            "operation_type": "WRITE",
            "operation_data": {"register": "CONFIG", "value": 1},
            "justification": WHY,
        }
        refused = http.post("/devices/0x8030/operations", json=body)
        read = http.post("/devices/0x8030/operations", json={"operation_type": "READ"})

    assert [item["stop_id"] for item in status["stops"]] == [stop["stop_id"]]
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "EMERGENCY_STOP")
    assert read.status_code == 200
    verified(home)


BULK = [
    {"device_id": 0x8030 + index, "operation_type": "WRITE",
     "operation_data": {"register": "CONFIG", "value": index + 100}}
    for index in range(24)
]  # fmt: skip
ONE = {
    "operation_type": "WRITE",
    "operation_data": {"register": "CONFIG", "value": 1},
    "justification": WHY,
}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "bulk": ("/operations/bulk", {"operations": BULK, "justification": WHY}),
    "stop": ("/emergency/stop", {"justification": "smoke"}),
    "write": ("/devices/0x8030/operations", ONE),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_a_server_killed_in_the_middle_leaves_journal_and_latch_whole(home: Paths, what: str) -> None:
    path, body = REQUESTS[what]
    answers: list[Any] = []

    def ask(http: httpx.Client) -> None:
        try:
            for _ in range(1 if what == "stop" else 200):
                answers.append(http.post(path, json=body).status_code)
        except httpx.HTTPError:
            return

    with server_process(home) as (url, process), as_admin(url) as http, ThreadPoolExecutor(1) as threads:
        asked = threads.submit(ask, http)
        folder = home.latch_folder
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if (what == "stop" and any(folder.glob("**/*.json"))) or (what != "stop" and answers):
                break
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        asked.result(PATIENCE)

    with server_process(home) as (url, _), as_admin(url) as http:
        status = http.get("/emergency/status").json()
        again = http.post("/devices/0x8031/operations", json=ONE)
        records = http.get("/audit?limit=1000").json()["records"]

    assert status["is_active"] is (what == "stop")
    assert again.status_code == (503 if what == "stop" else 200), again.text
    intents = {
        item["operation_id"]
        for item in records
        if item["outcome"] == "INTENT" and item["action"] == "device.write"
    }
    ended = {item["operation_id"] for item in records if item["outcome"] != "INTENT"}
    assert intents <= ended, "every change that was begun is read back and told after the restart"
    verified(home)


def test_a_second_server_on_the_same_fleet_is_refused_and_told_who_has_it(home: Paths) -> None:
    with server_process(home) as (_, process):
        with pytest.raises(Conflict) as refused:
            FleetLock(home, "sim").take()
        assert str(process.pid) in refused.value.message
        assert refused.value.exit_status == 7
        FleetLock(home, "another").take()

    with FleetLock(home, "sim"):
        pass
