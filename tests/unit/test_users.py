"""The file of users, and the command that keeps it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dsmilctl.commands.user import ids_of
from dsmilctl.config.paths import Paths
from dsmilctl.errors import ConfigError, Conflict, InvalidParameter, NotFound, StateUnavailable
from dsmilctl.server.identity.passwords import Cost, Hasher
from dsmilctl.server.identity.users import User, Users

CHEAP = Cost(rounds=1, memory=8, lanes=1)


def user(name: str, **facts: object) -> User:
    given: dict[str, object] = {"user_id": f"id-{name}"} | facts
    return User(name=name, **given)  # type: ignore[arg-type]  # facts of any kind


async def test_a_hash_is_argon2id_salted_and_matches_its_password_alone() -> None:
    hasher = Hasher(CHEAP)
    one, other = hasher.hash("correct horse"), hasher.hash("correct horse")
    assert one.startswith("$argon2id$") and one != other
    assert await hasher.matches([one], "correct horse")
    assert not await hasher.matches([one], "correct horsf")
    assert not await hasher.matches([], "correct horse")
    assert not await hasher.matches(["$argon2id$rubbish"], "correct horse")
    for wrong in ("short", "x" * 2000):
        with pytest.raises(InvalidParameter):
            hasher.hash(wrong)


def test_users_live_in_a_private_file_and_are_the_same_when_read_again(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    users = Users(path)
    users.add(user("ada", devices=(0x8000, "boiler"), certificates=("card",), clearance="SECRET"))
    assert Users(path).all() == users.all()
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="open to others"):
        Users(path)


@pytest.mark.parametrize("twin", ["ada", "ADA", "\u0430da", "a\u200bda"])
def test_a_name_that_looks_like_another_is_not_taken(tmp_path: Path, twin: str) -> None:
    users = Users(tmp_path / "users.json")
    users.add(user("ada"))
    with pytest.raises((Conflict, InvalidParameter)):
        users.add(user(twin, user_id="another"))
    assert len(Users(tmp_path / "users.json").all()) == 1


@pytest.mark.parametrize(
    "wrong", [user(""), user(" ada"), user("a\nb"), user("x" * 65), user("ada", clearance="ROYAL"),
              user("ada", totp="no base32!"), user("ada", totp="AAAA"), user("ada", user_id="")],
)  # fmt: skip
def test_a_user_that_cannot_be_is_refused(wrong: User) -> None:
    with pytest.raises(InvalidParameter):
        Users().add(wrong)


DAMAGED = (
    b"[{",
    b"{}",
    b'[{"name": "ada"}]',
    b'[{"name":"a","user_id":"1","root":1}]',
    b"\xff",
    b'[{"name":"a","user_id":"1"},{"name":"A","user_id":"2"}]',
)


@pytest.mark.parametrize("content", DAMAGED)
def test_a_file_that_is_damaged_lets_nobody_in(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "users.json"
    users = Users(path)
    users.add(user("ada"))
    assert users.find("ada")
    path.write_bytes(content)
    with pytest.raises(StateUnavailable):
        users.find("ada")
    with pytest.raises(ConfigError, match=r"users\.json"):
        Users(path)


def test_what_another_process_changes_counts_at_once_and_many_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    server = Users(path)
    assert server.find("user-0") is None
    writers = [
        threading.Thread(target=lambda number=number: Users(path).add(user(f"user-{chr(97 + number)}q")))
        for number in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(server.all()) == 8
    Users(path).change("user-aq", disabled=True)
    found = server.find("user-aq")
    assert found is not None and found.disabled
    with pytest.raises(NotFound):
        server.change("nobody", disabled=True)


def test_a_certificate_names_its_subject_unless_somebody_lists_it() -> None:
    users = Users(
        users={item.name: item for item in (user("ada"), user("bob", certificates=("ada", "card")))}
    )
    found = users.by_certificate("ada")
    assert found is not None and found.name == "bob"
    assert users.by_certificate("") is None
    users.add(user("eve", certificates=("card",)))
    assert users.by_certificate("card") is None


def test_device_ids_are_written_as_a_list_with_ranges() -> None:
    assert ids_of("0x8000-0x8002, boiler-1,7") == (0x8000, 0x8001, 0x8002, "boiler-1", 7)
    for wrong in ("0x8002-0x8000", "0-99999999"):
        with pytest.raises(InvalidParameter):
            ids_of(wrong)


def dsmilctl(home: Paths, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dsmilctl", *words]
    return subprocess.run(
        command, input=typed, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ)
    )


def test_the_command_takes_passwords_from_stdin_and_never_shows_them(home: Paths) -> None:
    added = dsmilctl(
        home,
        "user",
        "add",
        "ada",
        "--clearance",
        "secret",
        "--password-stdin",
        "--json",
        typed="canary-canary\n",
    )
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["data"]["clearance"] == "SECRET"
    content = home.users_file.read_text()
    assert "$argon2id$" in content
    assert "canary" not in added.stdout + added.stderr + content
    assert dsmilctl(home, "user", "passwd", "ada").returncode == 2
    assert dsmilctl(home, "user", "add", "bob", "--password", "x").returncode == 2
    again = dsmilctl(home, "user", "add", "ADA", "--no-password")
    assert (again.returncode, "looks the same" in again.stderr) == (7, True)
    assert json.loads(dsmilctl(home, "user", "disable", "ada", "--json").stdout)["data"]["disabled"]
    assert "totp_secret" in dsmilctl(home, "user", "totp", "ada", "--json").stdout
    listed = dsmilctl(home, "user", "list", "--json").stdout
    assert "argon2" not in listed and "totp_secret" not in listed


def test_asking_for_an_approval_on_a_local_fleet_says_why_that_cannot_be(home: Paths) -> None:
    asked = dsmilctl(
        home, "-C", "sim", "approval", "request", "0x8001", "CONFIG", "5", "--justification", "x" * 20
    )
    assert asked.returncode == 1
    assert "a local fleet knows one person" in asked.stderr
