"""Logging in: what is typed is shown nowhere, kept privately, renewed by one process, and ended for good."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.served import PLANT, RemoteShell, serving
from tests.commands.shell import Answer
from tests.commands.terminal import Terminal

PASSWORD = "dsmil_admin_2024"
READ = "dsmilctl -C plant device read 0x8000 -o json"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteShell]:
    with serving(tmp_path_factory.mktemp("plant"), "--no-rate-limit", "--no-approvals") as shell:
        yield shell


@pytest.fixture(autouse=True)
def nobody(plant: RemoteShell) -> Iterator[None]:
    yield
    plant.run("-C", PLANT, "auth", "logout")


def kept(plant: RemoteShell) -> Path:
    """The file that the login is kept in."""
    return plant.home / "state/tokens/login%20plant"


def change_kept(plant: RemoteShell, **fields: Any) -> None:
    """Change what is kept of the login."""
    login = json.loads(kept(plant).read_text())
    kept(plant).write_text(json.dumps({**login, **fields}))


def test_without_a_login_a_command_says_how_to_log_in(plant: RemoteShell) -> None:
    answer = plant(READ)

    assert (answer.exit, answer.out) == (4, "")
    assert answer.error.code == "AUTHENTICATION_FAILED"
    assert answer.error.hint == "dsmilctl -C plant auth login"


def test_people_are_shown_the_devices_of_a_login_as_ranges(plant: RemoteShell) -> None:
    shown = plant("echo dsmil_op_2024 | dsmilctl -C plant auth login operator --password-stdin")
    me = plant("dsmilctl -C plant auth whoami")
    plant("dsmilctl user add eve --no-password --devices 0x8000-0x803B,boiler-1 --users eve.json")
    users = plant("dsmilctl user list --users eve.json")

    for answer in (shown, me):
        assert "authorized_devices  0x8000-0x803B\n" in answer.out
    assert "0x8000-0x803B, boiler-1" in users.out


def test_a_login_is_kept_for_its_owner_alone_and_serves_the_commands_to_come(plant: RemoteShell) -> None:
    answer = plant("echo dsmil_op_2024 | dsmilctl -C plant auth login operator --password-stdin -o json")

    assert answer.exit == 0, answer.err
    assert answer.data["user"] == "operator"
    assert answer.data["clearance"] == "SECRET"
    assert len(answer.data["authorized_devices"]) == 60
    assert answer.data["source"] == "password"
    assert stat.S_IMODE(kept(plant).stat().st_mode) == 0o600
    assert stat.S_IMODE(kept(plant).parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((plant.home / "state").stat().st_mode) == 0o700, "the server made it first"
    assert plant(READ).exit == 0
    assert plant("dsmilctl -C plant auth status -o json").data == answer.data
    who = plant("dsmilctl -C plant auth whoami -o json").data
    assert (who["user"], who["clearance"]) == ("operator", "SECRET")
    assert "DEVICE_WRITE" in who["permissions"]


def test_a_logout_ends_the_session_at_the_server_too(plant: RemoteShell) -> None:
    plant.log_in("admin", PASSWORD)
    token = plant("dsmilctl -C plant auth token -o json").data["token"]

    answer = plant("dsmilctl -C plant auth logout -o json")

    assert answer.data == {"context": "plant", "logged_out": True, "session_ended": True, "problem": None}
    assert not kept(plant).exists()
    assert plant(READ).exit == 4
    again = plant("dsmilctl -C plant auth logout -o json")
    assert (again.exit, again.data["logged_out"]) == (0, False)
    assert _status_of(plant, token) == 401


def _status_of(plant: RemoteShell, token: str) -> int:
    import httpx

    headers = {"Authorization": f"Bearer {token}"}
    status: int = httpx.get(f"{plant.url}/api/v2/auth/whoami", headers=headers, timeout=20).status_code
    return status


def test_a_wrong_password_keeps_nothing_and_is_not_repeated(plant: RemoteShell) -> None:
    answer = plant("echo wrong-canary | dsmilctl -C plant auth login analyst --password-stdin -o json")

    assert answer.exit == 4
    assert answer.error.code == "AUTHENTICATION_FAILED"
    assert not kept(plant).exists()
    assert "wrong-canary" not in everything(plant, answer)


def everything(plant: RemoteShell, *answers: Answer) -> str:
    """All that was said and all that was kept, but for the login itself."""
    said = "".join(answer.out + answer.err for answer in answers)
    files = [file for file in plant.home.rglob("*") if file.is_file() and file != kept(plant)]
    return said + "".join(file.read_bytes().decode("utf-8", "replace") for file in files)


def test_a_person_types_the_password_and_nobody_sees_it(plant: RemoteShell) -> None:
    with Terminal(plant, "-C", PLANT, "auth", "login") as terminal:
        terminal.waits_for("User: ")
        terminal.types("admin\n")
        terminal.waits_for("Password of admin: ")
        terminal.types(f"{PASSWORD}\n")

        assert terminal.ends() == 0
        assert PASSWORD not in terminal.raw
        assert "TOP_SECRET" in terminal.seen


def test_where_nobody_types_a_password_is_not_waited_for(plant: RemoteShell) -> None:
    answer = plant("dsmilctl -C plant auth login admin -o json")

    assert answer.exit == 2
    assert (answer.error.code, answer.error.target) == ("CONFIRMATION_REQUIRED", "--password-stdin")


def test_neither_password_nor_tokens_stand_in_a_log_an_error_or_a_file_of_others(plant: RemoteShell) -> None:
    login = (
        f"echo {PASSWORD} | dsmilctl -vv --debug --log-file log -C plant auth login admin --password-stdin"
    )
    answers = [plant(login), plant(f"{READ} -vv --debug --log-file log"), plant("dsmilctl auth status -vv")]

    tokens = json.loads(kept(plant).read_text())
    found = everything(plant, *answers)

    assert all(answer.exit == 0 for answer in answers), answers
    assert (plant.home / "log").stat().st_size > 0
    assert PASSWORD not in found
    assert tokens["access_token"] not in found
    assert tokens["refresh_token"] not in found


def test_a_login_that_others_can_read_is_refused(plant: RemoteShell) -> None:
    plant.log_in("admin", PASSWORD)
    kept(plant).chmod(0o644)

    answer = plant(READ)

    kept(plant).chmod(0o600)
    assert answer.exit == 2
    assert answer.error.hint == f"chmod 600 {kept(plant)}"


def test_a_login_never_goes_to_another_server(plant: RemoteShell) -> None:
    plant.log_in("admin", PASSWORD)
    file = plant.home / "config/contexts.toml"
    before = file.read_text()
    file.write_text(before.replace(plant.url, "http://127.0.0.1:9"))

    answer = plant(READ)

    file.write_text(before)
    assert (answer.exit, answer.error.code) == (4, "AUTHENTICATION_FAILED")
    assert answer.error.message == "not logged in to http://127.0.0.1:9"


def test_a_context_takes_its_login_with_it(plant: RemoteShell) -> None:
    plant(f"dsmilctl context add other --url {plant.url}")
    plant.log_in("admin", PASSWORD, "other")
    assert (plant.home / "state/tokens/login%20other").exists()

    plant("dsmilctl context remove other")

    assert not (plant.home / "state/tokens/login%20other").exists()


async def test_many_processes_renew_an_ending_login_once(plant: RemoteShell) -> None:
    """A refresh token is good for one use: a second one would end the session for all."""
    plant.log_in("admin", PASSWORD)
    before = json.loads(kept(plant).read_text())
    sessions = plant("dsmilctl -C plant auth sessions -o json").data
    change_kept(plant, expires_at=0)

    answers = await asyncio.gather(*(asyncio.to_thread(plant, READ) for _ in range(6)))

    assert [answer.exit for answer in answers] == [0] * 6, answers
    after = json.loads(kept(plant).read_text())
    assert after["refresh_token"] != before["refresh_token"]
    assert plant(READ).exit == 0
    assert plant("dsmilctl -C plant auth refresh").exit == 0
    found = plant("dsmilctl -C plant auth sessions -o json").data
    assert [item["session_id"] for item in found] == [item["session_id"] for item in sessions]


def test_a_session_that_the_server_ended_is_over_here_too(plant: RemoteShell) -> None:
    plant.log_in("admin", PASSWORD)
    found = plant("dsmilctl -C plant auth sessions -o json").data
    (session,) = [item for item in found if item["current"]]
    assert session["client_type"] == "cli"
    assert plant(f"dsmilctl -C plant auth logout --session {session['session_id']}").exit == 0

    answer = plant(READ)

    assert (answer.exit, answer.error.hint) == (4, "dsmilctl -C plant auth login")
    change_kept(plant, expires_at=0)
    assert plant(READ).exit == 4
    assert not kept(plant).exists(), "nobody need try a login that is over"


@pytest.mark.parametrize(
    "variables",
    [
        {"DSMIL_USERNAME": "analyst", "DSMIL_PASSWORD": "dsmil_analyst_2024"},
    ],
)
def test_a_login_in_the_environment_wins_and_is_not_kept(
    plant: RemoteShell, variables: dict[str, str]
) -> None:
    plant.log_in("admin", PASSWORD)
    before = kept(plant).read_text()

    who = plant("dsmilctl -C plant auth whoami -o json", environment=variables)

    assert who.data["user"] == "analyst"
    assert kept(plant).read_text() == before


def test_two_ways_at_once_are_none(plant: RemoteShell) -> None:
    assert plant("dsmilctl -C plant auth login admin --cert ada.p12").exit == 2
    assert plant("dsmilctl -C plant auth login admin --service-token-file token").exit == 2


@pytest.mark.parametrize("verb", ["login admin --password-stdin", "logout", "refresh", "sessions", "token"])
def test_on_this_machine_nobody_logs_in(plant: RemoteShell, verb: str) -> None:
    answer = plant(f"dsmilctl -C sim auth {verb} -o json", stdin="x\n")

    assert answer.exit == 2
    assert answer.error.message == "context sim is on this machine: nobody logs in there"


@pytest.mark.parametrize("verb", ["status", "whoami"])
def test_on_this_machine_one_is_the_user_of_the_process(plant: RemoteShell, verb: str) -> None:
    found = plant(f"dsmilctl -C sim auth {verb} -o json").data

    assert found["user"]
    assert found["expires_at"] is None
