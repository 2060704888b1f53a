"""Redaction: no planted secret survives, and what is no secret stays readable."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.redaction import forget, is_secret_name, redact, redact_values, register


@pytest.fixture(autouse=True)
def nothing_registered() -> Iterator[None]:
    forget()
    yield
    forget()


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlY2FuYXJ5"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer canary.123",
        "authorization: Basic Y2FuYXJ5OmNhbmFyeQ==canary",
        "{'Authorization': 'Bearer canary-token'}",
        '{"Proxy-Authorization": "Basic canarycanary"}',
        "sent bearer canary_canary",
        "Cookie: session=canary; other=canary",
        "Set-Cookie: session=canary; HttpOnly",
        "GET https://operator:canary@plant.example/api?x=1",
        "redis://:canary@localhost:6379/0",
        "mqtt://canary@broker",
        "GET /api?token=canary&x=1",
        "GET /api?access_token=canary",
        "GET /api?x=1&api_key=canary#top",
        "password=canary",
        "password = 'canary with spaces'",
        'PASSWORD: "canary with spaces"',
        "mqtt_password=canary",
        "client_secret => canary",
        '{"password": "canary"}',
        '{"password": "can\\"ary canary"}',
        "{'mfa_token': 'canary'}",
        '"{\\"password\\": \\"canary\\"}"',
        "pwd=canary",
        "--password canary",
        "--token=canary",
        "['login', '--password=canary']",
        "passphrase: canary",
        "DSMIL_PASSWORD=canary",
        "DSMIL_TOKEN=canary dsmilctl device list",
        f"token {JWT} refused",
        JWT[:30] + "canary",
        "-----BEGIN PRIVATE KEY-----\ncanary\ncanary\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\ncanary\ncut short canary",
    ],
)
def test_a_secret_is_hidden_however_it_is_written(text: str) -> None:
    assert "canary" not in redact(text)
    assert "***" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "device 0x8000 TEMP 43 °C",
        "DSMIL_TIMEOUT=5",
        "a token was refreshed",
        "password is too short",
        "https://plant.example/api?x=1&y=2",
        "user@host.example wrote 5",
        "key=value",
        "the basic idea",
        "monkey=1 keyboard=2",
        "/sys/devices/platform/dell-smbios.0/tokens/0010_location",
        "0x8000-0x8003",
        "2026-01-01T00:00:00.000Z",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert redact(text) == text


def test_what_stands_around_a_secret_stays_readable() -> None:
    assert redact("GET https://op:x@host/a?token=abc&n=1 took 3 ms") == (
        "GET https://***@host/a?token=***&n=1 took 3 ms"
    )
    assert redact('{"user": "op", "password": "x", "n": 1}') == '{"user": "op", "password": ***, "n": 1}'
    assert redact("Authorization: Bearer abc, retry") == "Authorization: ***, retry"


@pytest.mark.parametrize(
    "secret", ["s3cr3t-canary", 'quo"te\\back', "sp ace&am=p/%", "ümläut canary", "line\nline"]
)
def test_a_registered_secret_is_hidden_in_every_spelling(secret: str) -> None:
    import json
    from urllib.parse import quote, quote_plus

    register(secret)
    spellings = (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret), repr(secret))

    for spelling in spellings:
        assert redact(f"before {spelling} after").replace('"', "").replace("'", "") == "before *** after"


def test_the_longer_of_two_registered_secrets_is_hidden_as_a_whole() -> None:
    register("canary")
    register("canary-and-more")

    assert redact("canary-and-more canary") == "*** ***"


def test_a_registered_secret_that_is_too_short_does_not_tear_the_text_apart() -> None:
    register("a")

    assert redact("a plain sentence") == "a plain sentence"


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *(
            (name, True)
            for name in ("password", "MQTT_PASSWORD", "mfa_token", "apiKey", "api-key", "PIN", "clientSecret")
        ),
        *((name, True) for name in ("Authorization", "private_key", "passphrase", "pwd", "otp", "cookies")),
        *(
            (name, False)
            for name in ("keyboard", "monkey", "spin", "devices", "url", "author", "passage", "")
        ),
    ],
)
def test_a_secret_is_known_by_its_name(name: str, secret: bool) -> None:
    assert is_secret_name(name) == secret


def test_named_values_are_hidden_at_any_depth() -> None:
    values = {
        "user": "op",
        "password": 5,
        "inner": [{"token": "x", "n": 1}, ("bearer canary1234",)],
        "n": 2.5,
    }

    assert redact_values(values) == {
        "user": "op",
        "password": "***",
        "inner": [{"token": "***", "n": 1}, ["bearer ***"]],
        "n": 2.5,
    }


def test_a_structure_that_contains_itself_ends() -> None:
    values: dict[str, object] = {}
    values["again"] = values

    assert "..." in str(redact_values(values))


@given(st.text(max_size=200))
def test_any_text_is_redacted_and_redacting_twice_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126, blacklist_characters="\"'&;,}>\\"), min_size=1)
)
def test_no_password_survives_behind_its_name(password: str) -> None:
    assert redact(f"password={password}") == "password=***"


HOSTILE = {
    "dots": "a." * 50_000,
    "names": "token" * 20_000,
    "empty values": "password=" * 10_000,
    "a web token": "eyJ" + "a" * 100_000,
    "quotes": '"' * 100_000,
    "URLs": "://" * 30_000,
    "escapes": 'password="' + "\\" * 100_000,
    "keys": "-----BEGIN " * 10_000,
    "blanks": "pwd" + " " * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_makes_redaction_slow(name: str) -> None:
    begin = time.monotonic()

    redact(HOSTILE[name])

    assert time.monotonic() - begin < 5
