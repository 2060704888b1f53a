"""How a client is configured: arguments, environment, `.env`, YAML; and what it refuses."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dsmilctl
from dsmilctl import ClientConfig, DSMILConfig, configure_logging, load_dotenv
from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.client.remote.dotenv import parse_dotenv
from dsmilctl.errors import ConfigError

YAML = """
base_url: https://dsmil-control.example
api_version: "2.0"
authentication:
  username: operator
  password: secure_password
connection:
  timeout: 30
  max_retries: 3
  verify_ssl: true
performance:
  max_connections: 20
  enable_compression: true
  cache_ttl: 30
"""


def test_a_file_of_the_specification_is_read(tmp_path: Path) -> None:
    file = tmp_path / "dsmil_config.yaml"
    file.write_text(YAML)

    config = DSMILConfig.from_file(file)

    assert (config.base_url, config.api_version, config.username) == (
        "https://dsmil-control.example", "2.0", "operator",
    )  # fmt: skip
    assert (config.timeout, config.max_connections, config.enable_compression, config.cache_ttl) == (
        30,
        20,
        True,
        30,
    )
    assert DSMILClient(config=config).config is config


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        ("base_url: https://a\nconection: {}", "unknown key conection", "connection"),
        ("connection:\n  timout: 3", "connection.timout", "connection.timeout"),
        ("connection: 5", "connection is no mapping", ""),
        ("- a", "no mapping", ""),
        ("base_url: [", "no YAML", ""),
        ("base_url: ftp://a", "base_url", "https://"),
        ("base_url: https://me:secret@a", "credentials", ""),
        ("api_version: '3.0'", "api_version", "2.0"),
        ("connection: {timeout: soon}", "timeout", ""),
        ("connection: {timeout: .inf}", "timeout", ""),
    ],
)
def test_a_file_that_is_wrong_says_where_and_what_would_be_right(
    tmp_path: Path, text: str, told: str, hint: str
) -> None:
    file = tmp_path / "dsmil_config.yaml"
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        DSMILConfig.from_file(file)

    assert str(file) in str(caught.value)
    assert told in str(caught.value)
    assert hint in caught.value.hint


def test_the_environment_is_read_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSMIL_BASE_URL", "http://127.0.0.1:8899")
    monkeypatch.setenv("DSMIL_VERIFY_SSL", "false")
    monkeypatch.setenv("DSMIL_TIMEOUT", "5")
    monkeypatch.setenv("DSMIL_PASSWORD", "12345678")

    config = DSMILClient.from_environment(max_retries=7).config

    assert (config.base_url, config.verify_ssl, config.timeout) == ("http://127.0.0.1:8899", False, 5.0)
    assert (config.password, config.max_retries) == ("12345678", 7)
    monkeypatch.setenv("DSMIL_TIMEOUT", "soon")
    with pytest.raises(ConfigError, match="DSMIL_TIMEOUT"):
        DSMILClient.from_environment()


def test_an_argument_that_is_unknown_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        DSMILClient("https://a", max_retrys=3)

    assert "max_retries" in caught.value.hint
    with pytest.raises(ConfigError, match="not both"):
        DSMILClient("https://a", config=ClientConfig())


def test_a_configuration_does_not_show_its_secrets() -> None:
    config = ClientConfig(password="hunter22", service_token="tok-1234")

    assert "hunter22" not in repr(config)
    assert "tok-1234" not in repr(config)


def test_variables_of_a_file_do_not_win_over_those_that_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_text("# comment\nexport DSMIL_USERNAME='one two' \nDSMIL_TIMEOUT=5 # seconds\nno assignment\n")
    monkeypatch.setenv("DSMIL_TIMEOUT", "9")
    monkeypatch.delenv("DSMIL_USERNAME", raising=False)

    assert load_dotenv(file)

    import os

    assert (os.environ["DSMIL_USERNAME"], os.environ["DSMIL_TIMEOUT"]) == ("one two", "9")
    monkeypatch.delenv("DSMIL_USERNAME")
    assert not load_dotenv(tmp_path / "absent")


@given(st.text())
def test_any_text_is_parsed_without_an_error(text: str) -> None:
    assert all(isinstance(value, str) for value in parse_dotenv(text).values())


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\x85")))
def test_what_is_quoted_comes_back_as_it_was(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')

    assert parse_dotenv(f'NAME="{escaped}"') == {"NAME": value}


def test_logs_go_to_the_file_without_their_secrets(tmp_path: Path) -> None:
    file = tmp_path / "dsmil_client.log"
    configure_logging(level=logging.INFO, format="%(levelname)s - %(message)s", file_path=str(file))
    try:
        logging.getLogger("dsmil_client").info("starting with password=hunter22")
    finally:
        for name in ("dsmilctl", "dsmil_client"):
            logger = logging.getLogger(name)
            for handler in list(logger.handlers):
                handler.close()
                logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)

    assert file.read_text() == "INFO - starting with password=***\n"


def test_importing_the_package_alone_loads_nothing() -> None:
    code = (
        "import sys, dsmilctl; print([name for name in sys.modules if 'dsmilctl' in name or 'http' in name])"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "['dsmilctl']"


def test_every_public_name_is_there() -> None:
    for name in (
        "DSMILClient",
        "SyncDSMILClient",
        "Register",
        "OperationType",
        "BulkOperation",
        "DSMILError",
    ):
        assert getattr(dsmilctl, name).__name__ == name
        assert name in dir(dsmilctl)
    with pytest.raises(AttributeError):
        _ = dsmilctl.DSMILKlient
