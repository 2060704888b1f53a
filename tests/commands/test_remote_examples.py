"""Examples of commands that need a server, or are one: each runs."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import archive
from tests.commands.served import PLANT, RemoteShell, serving
from tests.commands.shell import Shell
from tests.commands.test_help import SERVERS, VERBS

EXAMPLES = [line for _, verb in VERBS for line in verb.examples if any(words in line for words in SERVERS)]
GOING_ON = [line for line in EXAMPLES if " serve " in line or line.endswith(" serve")]
ASKING = [line for line in EXAMPLES if line not in GOING_ON and "context add" not in line]
TYPED = ("auth login ada", "auth login --cert")
"""What asks somebody for a secret; where nobody is, it says what would do without."""

WHY = "--justification 'the night shift asked for it'"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteShell]:
    home = tmp_path_factory.mktemp("plant")
    with serving(home, "--no-rate-limit", environment={"DSMIL_CONTEXT": PLANT}) as shell:
        (home / "password").write_text("dsmil_admin_2024\n")
        yield shell


@pytest.mark.parametrize("line", ASKING)
def test_every_example_about_a_server_runs(plant: RemoteShell, line: str) -> None:
    if "approval-" in line:
        plant.log_in("supervisor", "dsmil_super_2024")
        asked = plant(f"dsmilctl approval request 0x8001 CONFIG 6 {WHY} -o json")
        line = re.sub(r"approval-[0-9a-f]+", asked.data["approval_id"], line)
    plant.log_in("admin", "dsmil_admin_2024")

    answer = plant(line.replace("login ada --password-stdin --mfa 123456", "login admin --password-stdin"))

    if any(line.endswith(words) or f"{words} " in line for words in TYPED) and "--password-stdin" not in line:
        assert answer.exit == 2, answer.err
    else:
        assert answer.exit == 0, answer.err


@pytest.mark.parametrize("line", GOING_ON)
def test_every_example_of_a_server_serves_until_it_is_ended(tmp_path: Path, line: str) -> None:
    from dsmilctl.server.tls import Authority

    shell = Shell(tmp_path)
    archive(Authority(), tmp_path, "cert", passphrase="x")
    (tmp_path / "cert.key").rename(tmp_path / "key.pem")
    (tmp_path / "plant.yaml").write_text("version: 2\ndevices:\n  - {id: a, driver: sim}\n")
    for users in ("", "--users users.json"):
        assert shell(f"dsmilctl user add ada --no-password {users}").exit == 0

    running = shell.start(*re.sub(r"--port \d+", "", line).split()[1:], "--port", "0")

    assert "listening on http" in running.told()
    assert running.end(signal.SIGTERM).exit == 143
