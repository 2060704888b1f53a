"""What `serve` says before it serves: the first thing that is missing, and the next command to type."""

from __future__ import annotations

import json
import shlex
import signal

import pytest

from tests.commands.shell import Shell

FLEET = "{version: 2, devices: [{id: rack, driver: sim, options: {devices: 2}}]}"
PASSWORD = "a password of this test"


def test_a_fleet_file_that_is_not_there_is_told_before_users_and_its_hint_makes_one(shell: Shell) -> None:
    missing = shell("dsmilctl serve 'my hall.yaml' --users nobody.json -o json")
    assert (missing.exit, missing.error.code) == (2, "CONFIG")
    assert "my hall.yaml" in missing.error.message
    assert missing.error.hint is not None

    assert shell(missing.error.hint.partition(" makes ")[0]).exit == 0
    users = shell("dsmilctl serve 'my hall.yaml' --users nobody.json -o json")

    assert (users.exit, users.error.target) == (2, "nobody.json")


@pytest.mark.parametrize("file", [(), ("--users", "our users.json")])
def test_the_hint_on_missing_users_makes_the_user_that_the_server_then_lets_in(
    shell: Shell, file: tuple[str, ...]
) -> None:
    (shell.home / "hall.yaml").write_text(FLEET)
    missing = shell.run("serve", "hall.yaml", *file, "-o", "json")
    assert missing.error.hint is not None

    words = shlex.split(missing.error.hint.replace("NAME", "ada"))
    assert shell.run(*words[1:], "--password-stdin", stdin=PASSWORD).exit == 0
    server = shell.start("serve", "hall.yaml", *file, "--port", "0", "--json")
    url = json.loads(server.line())["url"]
    assert shell.run("context", "add", "hall", "--url", url).exit == 0
    login = shell.run("-C", "hall", "auth", "login", "ada", "--password-stdin", stdin=PASSWORD)
    server.end(signal.SIGTERM)

    assert login.exit == 0, login.err


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ("--settings nowhere.yaml", "without --settings"),
        ("--tls-cert nowhere.pem --tls-key nowhere.key", "openssl req -x509"),
        ("--host 192.0.2.7", "--tls-cert"),
        ("--tls-key key.pem", "--tls-cert FILE"),
    ],
)
def test_every_other_mistake_of_a_server_says_what_to_type(shell: Shell, options: str, hint: str) -> None:
    (shell.home / "hall.yaml").write_text(FLEET)
    assert shell.run("user", "add", "ada", "--password-stdin", stdin=PASSWORD).exit == 0

    answer = shell(f"dsmilctl serve hall.yaml {options} -o json")

    assert answer.exit == 2
    assert hint in (answer.error.hint or "")
