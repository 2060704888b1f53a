"""The journal redacts: secrets are hidden by their name, look and registration; the rest stays."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.guard.journal import Journal
from dsmilctl.redaction import HIDDEN, forget, redact, redact_values, register
from tests.unit.evidence import entry


@pytest.mark.parametrize(
    "key",
    (
        "password",
        "Passwd",
        "user_password",
        "db-password",
        "passphrase",
        "secret",
        "clientSecret",
        "token",
        "access_token",
        "mfaToken",
        "mfa",
        "MFA",
        "pin",
        "PIN",
        "device_pin",
        "api_key",
        "apiKey",
        "APIKey",
        "API-KEY",
        "key",
        "private_key",
        "sshKey",
        "credential",
        "credentials",
        "otp",
        "totp",
        "authorization",
        "auth",
        "cookie",
        "bearer",
    ),
)
def test_a_value_under_such_a_name_is_hidden(key: str) -> None:
    assert redact_values({key: "canary"}) == {key: HIDDEN}
    assert redact_values({"deep": [{"deeper": {key: ["canary"]}}]}) == {"deep": [{"deeper": {key: HIDDEN}}]}


@pytest.mark.parametrize(
    "key",
    (
        "register",
        "value",
        "keyboard",
        "monkey",
        "spinning",
        "pinned",
        "mapping",
        "ping",
        "author",
        "compass",
        "bypass",
        "hockey",
        "pid",
        "operation",
        "justification",
        "monotonic",
    ),
)
def test_a_value_under_another_name_stays(key: str) -> None:
    assert redact_values({key: 5}) == {key: 5}


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("mqtt://ada:canary@broker:1883/x", "mqtt://***@broker:1883/x"),
        ("postgres://:canary@db", "postgres://***@db"),
        ("Authorization: Bearer canary.abc-def", "Authorization: ***"),
        ("authorization: basic Y2FuYXJ5", "authorization: ***"),
        ("https://host/?token=canary&page=2", "https://host/?token=***&page=2"),
        ("failed with api_key: canary, giving up", "failed with api_key: ***, giving up"),
        ("--password=canary", "--password=***"),
    ],
)
def test_a_secret_inside_a_text_is_hidden(text: str, hidden: str) -> None:
    assert redact(text) == hidden
    assert redact_values({"note": text}) == {"note": hidden}


@pytest.mark.parametrize(
    "text",
    ["maintenance window", "https://host:8080/a@b", "token ring replaced", "basic test of pump", "a=b:c"],
)
def test_a_text_without_a_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_what_contains_itself_comes_to_an_end() -> None:
    loop: dict[str, object] = {}
    loop["again"] = [loop]

    assert "..." in str(redact_values(loop))


def test_frozen_values_are_looked_into() -> None:
    class Login(msgspec.Struct):
        user: str
        password: str

    assert redact_values({"login": Login("ada", "canary"), "many": {"a"}, "pair": (1, 2)}) == {
        "login": {"user": "ada", "password": HIDDEN},
        "many": ["a"],
        "pair": [1, 2],
    }


def test_a_long_text_takes_no_long_time() -> None:
    for text in ("token" * 20_000, "a-" * 50_000 + "token", "://" * 30_000, "bearer " * 10_000):
        redact(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), json_values))
def test_nothing_but_values_is_ever_changed_and_twice_is_once(mapping: dict[str, object]) -> None:
    once = redact_values(mapping)

    assert once.keys() == mapping.keys()
    assert redact_values(once) == once


def test_no_secret_reaches_the_journal_by_its_name_its_look_or_its_registration(tmp_path: Path) -> None:
    register("winter-canary")
    parameters = {
        "password": "canary one",
        "note": "token=canary-two",
        "why": "it is winter-canary now",
        "deep": [{"apiKey": "canary"}],
    }
    try:
        Journal(tmp_path).append([entry(parameters=parameters, target="https://ada:canary@host")])
    finally:
        forget()

    written = next(tmp_path.glob("journal-*.jsonl")).read_text()
    assert "canary" not in written
    assert written.count(HIDDEN) == 5
