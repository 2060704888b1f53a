"""The emergency stop over a network: it is out before a library is loaded, and never pretends."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.served import PLANT, RemoteShell, serving
from tests.contract.test_loaded_modules import RUN, loaded

STOP = "dsmilctl -C plant emergency stop"
RELEASE = "dsmilctl -C plant emergency release --confirm plant --justification 'the smoke is gone'"


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[RemoteShell]:
    with serving(tmp_path, "--no-rate-limit", "--no-approvals") as shell:
        shell.log_in("operator", "dsmil_op_2024")
        yield shell


def test_a_stop_loads_no_http_library_and_nothing_of_a_fleet(plant: RemoteShell) -> None:
    found = loaded(RUN, "-C", PLANT, "emergency", "stop", home=plant.home)

    slow = {"httpx", "websockets", "anyio", "pydantic", "yaml", "rich", "dsmilctl.fleet.fleet"}
    assert slow & found == set()
    assert not any(name.startswith(("dsmilctl.guard", "dsmilctl.drivers")) for name in found)
    assert plant("dsmilctl -C plant emergency status -o json").data[0]["unconfirmed"] == []


@pytest.mark.parametrize(
    "line", ["device read 0x8030", "device write 0x8030 CONFIG 5 --yes", "emergency status"]
)
def test_a_short_command_loads_no_http_library_either(plant: RemoteShell, line: str) -> None:
    found = loaded(RUN, "-C", PLANT, *line.split(), home=plant.home)

    assert {"httpx", "websockets", "anyio", "rich", "yaml", "pydantic"} & found == set()


def test_everybody_may_stop_and_whoever_stopped_may_not_release(plant: RemoteShell) -> None:
    stopped = plant(f"{STOP} --reason smoke -o json")

    assert stopped.exit == 0
    assert len(stopped.data["confirmed"]) == 84, "also the devices that the operator may not see"
    write = plant("dsmilctl -C plant device write 0x8030 CONFIG 5 --yes -o json")
    assert (write.exit, write.error.code) == (1, "EMERGENCY_STOP")
    assert plant("dsmilctl -C plant device read 0x8030").exit == 0
    assert plant(f"{RELEASE} -o json").error.code == "PERMISSION_DENIED"
    plant.log_in("admin", "dsmil_admin_2024")
    assert plant(RELEASE).exit == 0


def test_a_stop_goes_out_with_a_token_that_has_run_out(plant: RemoteShell) -> None:
    """The access token is spent; the refresh token is good for one more pair."""
    file = plant.home / "state/tokens/login%20plant"
    login = json.loads(file.read_text())
    file.write_text(json.dumps({**login, "access_token": "spent"}))

    assert plant(STOP).exit == 0
    assert json.loads(file.read_text())["refresh_token"] != login["refresh_token"]


def test_a_server_that_is_gone_confirms_nothing_and_the_exit_status_says_so(plant: RemoteShell) -> None:
    plant.server.send(signal.SIGKILL)
    plant.server.end()

    answer = plant(f"{STOP} --deadline 500ms -o json")

    assert (answer.exit, answer.error.code) == (8, "STOP_NOT_CONFIRMED")
    assert answer.error.message.startswith("NOTHING IS CONFIRMED: ")
    assert "emergency status" in str(answer.error.hint)


def test_a_server_that_never_answers_is_not_waited_for_without_end(plant: RemoteShell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        file = plant.home / "state/tokens/login%20plant"
        contexts = plant.home / "config/contexts.toml"
        contexts.write_text(contexts.read_text().replace(plant.url, url))
        file.write_text(file.read_text().replace(plant.url, url))

        answer = plant(f"{STOP} --deadline 500ms -o json")

    assert (answer.exit, answer.error.code) == (8, "STOP_NOT_CONFIRMED")


def test_somebody_who_is_not_logged_in_is_told_that_nothing_was_stopped(plant: RemoteShell) -> None:
    plant("dsmilctl -C plant auth logout")

    answer = plant(f"{STOP} -o json")

    assert (answer.exit, answer.error.code) == (4, "AUTHENTICATION_FAILED")
    assert answer.error.message.startswith("NOTHING WAS STOPPED: ")
    assert answer.error.hint == "dsmilctl -C plant auth login"


def test_a_device_that_does_not_confirm_is_told(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-rate-limit", "--fault", "silent:0x8030") as shell:
        shell.log_in("operator", "dsmil_op_2024")

        answer = shell(f"{STOP} --deadline 500ms -o json")

    assert answer.exit == 8
    assert answer.data["unconfirmed"] == ["0x8030"]
