"""The settings of a server: what they are, what they change, and how a mistake in them is told."""

from __future__ import annotations

from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dsmilctl.config.paths import Paths
from dsmilctl.errors import ConfigError
from dsmilctl.guard.approvals import LIFETIME
from dsmilctl.server.assembly import ServerOptions
from dsmilctl.server.settings import ServerSettings, read_settings
from tests.server.doors import code, users_file
from tests.server.served import PATIENCE, TLS
from tests.server.test_sim_serve import started

FLEET = """\
version: 2
name: hall
devices:
  - {id: hall, driver: sim}
"""


def test_what_is_not_set_is_as_without_settings(tmp_path: Path) -> None:
    assert ServerSettings().options(tmp_path) == ServerOptions()
    assert ServerSettings().approval_seconds == LIFETIME


def test_shares_of_accounts_and_addresses_are_settings(tmp_path: Path) -> None:
    file = tmp_path / "server.yaml"
    file.write_text("clients: 100\nclients_per_account: 7\nlogins_per_minute: 0\n")

    limits = read_settings(file).options(tmp_path).limits

    assert (limits.share, limits.logins_per_minute) == (7, 0)
    assert ServerOptions().limits.share == 250


@pytest.mark.parametrize(
    ("content", "place", "said"),
    [
        ("version: 1\nlockout_failure: 5\n", ":2:1", "no key 'lockout_failure'"),
        ("lockout_failures: many\n", ":1:1", "lockout_failures: Expected `int`, got `str`"),
        ("clients: 3\n\nbulk_devices: 0\n", ":3:1", "bulk_devices: Expected `int` >= 1"),
        ("token_seconds: .nan\n", ":1:16", ".nan is no number"),
        ("version: 2\n", ":1:1", "version"),
        ("clients: 3\nclients: 4\n", ":2:1", "key clients is there already, at 1:1"),
        ("- clients\n", ":1:1", "a mapping"),
        ("clients: &a 3\nheartbeat_seconds: 2026-01-02\n", ":2:20", "a date is no value here"),
        ("clients: [\n", ":2:1", "not YAML"),
        ("", ":1:1", "a mapping"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_column(
    tmp_path: Path, content: str, place: str, said: str
) -> None:
    file = tmp_path / "server.yaml"
    file.write_text(content)

    with pytest.raises(ConfigError) as refused:
        read_settings(file)

    assert f"{file}{place}" in refused.value.message
    assert said in refused.value.message
    assert refused.value.exit_status == 2


def test_a_misspelt_key_is_offered_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "server.yaml").write_text("lockout_failure: 5\n")
    with pytest.raises(ConfigError) as refused:
        read_settings(tmp_path / "server.yaml")

    assert refused.value.hint == "Did you mean lockout_failures?"


def test_a_signing_key_that_is_missing_or_open_to_others_is_refused(tmp_path: Path) -> None:
    settings = ServerSettings(signing_key="signing.pem")
    with pytest.raises(ConfigError) as missing:
        settings.options(tmp_path)
    (tmp_path / "signing.pem").write_bytes(b"x")
    (tmp_path / "signing.pem").chmod(0o644)
    with pytest.raises(ConfigError) as opened:
        settings.options(tmp_path)

    assert "openssl genpkey" in missing.value.hint
    assert "signing.pem" in opened.value.message


def test_a_gateway_does_as_its_settings_say(home: Paths, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "signing.pem").touch(mode=0o600)
    (tmp_path / "signing.pem").write_bytes(pem)
    (tmp_path / "plant.yaml").write_text(FLEET)
    (tmp_path / "server.yaml").write_text(
        "lockout_failures: 1\nlockout_seconds: 77\ntoken_seconds: 61\n"
        "bulk_devices: 5\nsigning_key: signing.pem\n"
    )
    users_file(tmp_path)
    files = ("--users", str(tmp_path / "users.json"), "--settings", str(tmp_path / "server.yaml"))

    with started("serve", str(tmp_path / "plant.yaml"), "--port", "0", *files) as (url, _):
        login = {"username": "ada", "password": "correct horse battery"}
        with httpx.Client(base_url=f"{url}/api/v2", timeout=PATIENCE, verify=TLS) as http:
            tokens = http.post("/auth/login", json=login).json()
            wrong = http.post("/auth/login", json={"username": "grace", "password": "x"})
            locked = http.post("/auth/login", json={"username": "grace", "password": "x"})

    claims = jwt.decode(
        tokens["access_token"], key.public_key(), algorithms=["EdDSA"], audience="dsmil-users"
    )
    assert claims["exp"] - claims["iat"] == tokens["expires_in"] == 61
    assert tokens["api_capabilities"]["bulk_operation_max_devices"] == 5
    assert code(wrong) == (401, "AUTHENTICATION_FAILED")
    assert code(locked) == (423, "ACCOUNT_LOCKED")
    assert 70 < locked.json()["error"]["retry_after"] <= 77
