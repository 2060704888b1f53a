"""Every way to log in to a real gateway: TLS, second factor, certificate, service token."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest

from dsmilctl.server.tls import Authority
from tests.certificates import archive
from tests.commands.shell import Shell
from tests.commands.terminal import Terminal

FLEET = """
version: 2
name: hall
devices:
  - id: sim
    driver: sim
"""
PASSWORD = "correct horse battery"
GATE = "dsmilctl -C gate"


class Gate(Shell):
    """A shell beside a gateway with TLS; `certificates` is the folder of keys, `totp` carla's secret."""

    certificates: Path
    url: str
    totp: str
    service_token: str


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    home = tmp_path_factory.mktemp("gate")
    shell = Gate(home)
    shell.certificates = home / "certificates"
    shell.certificates.mkdir()
    authority = Authority()
    pem, key = authority.issue(shell.certificates, "server")
    authority.save(shell.certificates)
    archive(authority, shell.certificates, "ada", passphrase="open sesame")
    (home / "fleet.yaml").write_text(FLEET)
    add_people(shell)
    ca = str(shell.certificates / "authority.pem")
    server = shell.start(
        "serve", "fleet.yaml", "--users", "users.json", "--port", "0", "--json",
        "--tls-cert", str(pem), "--tls-key", str(key), "--client-ca", ca, anew=False,
    )  # fmt: skip
    try:
        port = json.loads(server.line())["url"].rpartition(":")[2]
        shell.url = f"https://localhost:{port}"
        assert shell.run("context", "add", "gate", "--url", shell.url, "--ca", ca).exit == 0
        yield shell
    finally:
        server.end(signal.SIGTERM)


def add_people(gate: Gate) -> None:
    """Ada comes with a certificate, carla with a second factor, the robot with a token."""
    add = "dsmilctl user add --users users.json -o json"
    assert gate(f"{add} ada --no-password --certificate ada --clearance TOP_SECRET").exit == 0
    assert gate(f"echo {PASSWORD} | {add} carla --password-stdin --clearance SECRET").exit == 0
    gate.totp = gate("dsmilctl user totp carla --users users.json -o json").data["totp_secret"]
    robot = gate(f"{add} robot --no-password --service-token --clearance SECRET")
    gate.service_token = robot.data["service_token"]


@pytest.fixture(autouse=True)
def nobody(gate: Gate) -> Iterator[None]:
    yield
    gate(f"{GATE} auth logout")


def test_a_certificate_logs_in_and_its_passphrase_is_asked_for_unseen(gate: Gate) -> None:
    with Terminal(gate, "-C", "gate", "auth", "login", "--cert", "certificates/ada.p12") as terminal:
        terminal.waits_for("Passphrase of the certificate: ")
        terminal.types("open sesame\n")

        assert terminal.ends() == 0
        assert "sesame" not in terminal.raw
    found = gate(f"{GATE} auth status -o json").data
    assert (found["user"], found["source"]) == ("ada", "certificate")
    assert gate(f"{GATE} device read 0x8030").exit == 0, "later commands need no certificate"


def test_a_wrong_passphrase_is_told_and_logs_nobody_in(gate: Gate) -> None:
    answer = gate(f"echo wrong | {GATE} auth login --cert certificates/ada.p12 --password-stdin -o json")

    assert answer.exit == 2
    assert "ada.p12" in answer.error.message


def test_a_certificate_of_nobody_logs_nobody_in(gate: Gate) -> None:
    archive(Authority("somebody else"), gate.certificates, "mallory", passphrase="open sesame")

    answer = gate(
        f"echo open sesame | {GATE} auth login --cert certificates/mallory.p12 --password-stdin -o json"
    )

    assert answer.exit in (3, 4), answer.err


def test_a_second_factor_is_asked_for_and_taken_once(gate: Gate) -> None:
    login = f"echo {PASSWORD} | {GATE} auth login carla --password-stdin -o json"
    missing = gate(login)
    assert (missing.exit, missing.error.code) == (4, "MFA_REQUIRED")
    assert missing.error.hint == "--mfa CODE"
    code = pyotp.TOTP(gate.totp).now()

    assert gate(f"{login} --mfa {code}").data["user"] == "carla"

    again = gate(f"{login} --mfa {code}")
    assert (again.exit, again.error.code) == (4, "AUTHENTICATION_FAILED")


def test_a_service_token_logs_in_from_a_file_and_again_when_its_session_is_over(gate: Gate) -> None:
    (gate.home / "robot.token").write_text(f"{gate.service_token}\n")
    assert gate(f"{GATE} auth login --service-token-file robot.token").exit == 0
    (session,) = gate(f"{GATE} auth sessions -o json").data
    assert gate(f"{GATE} auth logout --session {session['session_id']}").exit == 0
    login = json.loads((gate.home / "state/tokens/login%20gate").read_text())
    (gate.home / "state/tokens/login%20gate").write_text(json.dumps({**login, "expires_at": 0}))

    answer = gate(f"{GATE} auth whoami -o json")

    assert answer.data["user"] == "robot"
    assert gate(f"{GATE} auth status -o json").data["source"] == "service_token"


def test_a_service_token_in_the_environment_needs_no_login(gate: Gate) -> None:
    variables = {"DSMIL_SERVICE_TOKEN": gate.service_token}

    assert gate(f"{GATE} auth whoami -o json", environment=variables).data["user"] == "robot"
    assert gate(f"{GATE} auth whoami").exit == 4


@pytest.mark.parametrize("verb", ["device read 0x8030", "emergency stop --deadline 1s"])
def test_a_server_that_cannot_prove_itself_gets_nothing(gate: Gate, verb: str) -> None:
    """Neither the authority is known, nor is the name in the certificate the one that was asked for."""
    gate(f"dsmilctl context add stranger --url {gate.url}")
    (gate.home / "robot.token").write_text(gate.service_token)

    answer = gate(f"dsmilctl -C stranger {verb} -o json", environment={"DSMIL_SERVICE_TOKEN": "x" * 20})

    assert answer.exit == (8 if "stop" in verb else 3)
    assert "certificate" in answer.error.message
    gate("dsmilctl context remove stranger")


def test_insecure_takes_any_certificate_and_says_so(gate: Gate) -> None:
    gate(f"dsmilctl context add careless --url {gate.url} --insecure")

    answer = gate("dsmilctl -C careless auth whoami", environment={"DSMIL_SERVICE_TOKEN": gate.service_token})

    assert answer.exit == 0
    assert "is not verified" in answer.err
    gate("dsmilctl context remove careless")


def checks(gate: Gate, line: str, **environment: str) -> dict[str, dict[str, str]]:
    """What the doctor says, by the names of its checks."""
    answer = gate(f"dsmilctl {line} doctor -o json", environment=environment)
    return {row["check"]: row for row in answer.data}


def test_the_doctor_looks_at_name_way_certificate_clock_and_login(gate: Gate) -> None:
    nobody = checks(gate, "-C gate")
    assert [nobody[name]["status"] for name in ("name", "server", "certificate")] == ["ok"] * 3
    assert nobody["login"]["fix"] == "dsmilctl -C gate auth login"
    assert "journal" not in nobody, "what fails for the same reason is not told three times"

    (gate.home / "robot.token").write_text(gate.service_token)
    gate(f"{GATE} auth login --service-token-file robot.token")

    somebody = checks(gate, "-C gate")
    assert somebody["login"]["message"].startswith("robot by service_token, token good until ")
    assert (somebody["clock"]["status"], somebody["clock"]["message"]) == ("ok", "as here")
    assert somebody["context gate: devices"]["status"] == "ok"
    assert checks(gate, "-C gate", DSMIL_SERVICE_TOKEN=gate.service_token)["login"]["status"] == "ok"


def test_the_doctor_names_a_certificate_that_is_not_trusted_and_a_server_that_is_gone(gate: Gate) -> None:
    gate(f"dsmilctl context add stranger --url {gate.url}")
    gate("dsmilctl context add gone --url http://127.0.0.1:9")
    gate("dsmilctl context add nameless --url https://no-such-host.invalid")

    assert "certificate" in checks(gate, "-C stranger")["way"]["message"]
    assert "refused" in checks(gate, "-C gone")["way"]["message"]
    assert checks(gate, "-C nameless")["name"]["status"] == "problem"
    for name in ("stranger", "gone", "nameless"):
        gate(f"dsmilctl context remove {name}")
