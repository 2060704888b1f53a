"""Access tokens: what is made is read again, and nothing else is."""

from __future__ import annotations

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.clock import NANOSECONDS
from dsmilctl.errors import AuthenticationError, ConfigError, TokenExpired
from dsmilctl.server.identity.tokens import AUDIENCE, ISSUER, TokenMaker
from dsmilctl.testing.clock import START, StandingClock

MAKER = TokenMaker(StandingClock())
NAMES = st.text(max_size=40).filter(lambda name: name.isprintable())


def made(maker: TokenMaker = MAKER) -> str:
    return maker.make(user_id="1", username="ada", clearance="SECRET", session_id="s")


@given(NAMES, NAMES, st.lists(st.integers(0, 2**31) | NAMES, max_size=30))
def test_what_is_said_in_a_token_is_read_again(user: str, session: str, devices: list[int | str]) -> None:
    token = MAKER.make(
        user_id=user,
        username=user,
        clearance="SECRET",
        session_id=session,
        devices=devices,
        compartments=["X"],
    )
    claims = MAKER.check(token)
    assert (claims.sub, claims.username, claims.session_id, claims.compartments) == (
        user,
        user,
        session,
        ["X"],
    )
    assert claims.exp - claims.iat == MAKER.lifetime


@given(st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*"))
def test_any_text_that_is_no_token_is_refused_and_breaks_nothing(text: str) -> None:
    with pytest.raises(AuthenticationError):
        MAKER.check(text)


@given(st.data())
def test_a_token_with_one_character_changed_is_refused(data: st.DataObject) -> None:
    token = made()
    place = data.draw(st.integers(0, len(token) - 2))  # the last character has bits that mean nothing
    character = data.draw(st.sampled_from("ABCxyz019-_.").filter(lambda item: item != token[place]))
    with pytest.raises(AuthenticationError):
        MAKER.check(token[:place] + character + token[place + 1 :])


@pytest.mark.parametrize(
    "wrong", [{"iss": "other"}, {"aud": "other"}, {"exp": "soon"}, {"sub": 5}, {"jti": None}]
)
def test_a_token_of_our_key_with_wrong_claims_is_refused(wrong: dict[str, object]) -> None:
    now = START // NANOSECONDS
    claims: dict[str, object] = {
        "sub": "1", "username": "ada", "clearance": "SECRET", "session_id": "s", "jti": "j",
        "iat": now, "exp": now + 60, "iss": ISSUER, "aud": AUDIENCE,
    }  # fmt: skip
    MAKER.check(jwt.encode(claims, MAKER._signing, algorithm="HS256"))
    with pytest.raises(AuthenticationError):
        MAKER.check(jwt.encode(claims | wrong, MAKER._signing, algorithm="HS256"))


def test_a_token_ends_to_the_second_and_a_leeway_is_kept() -> None:
    clock = StandingClock()
    strict, kind = TokenMaker(clock, lifetime=60), TokenMaker(clock, lifetime=60, leeway=30)
    first, second = made(strict), made(kind)
    clock.advance(59)
    strict.check(first)
    clock.advance(1)
    with pytest.raises(TokenExpired):
        strict.check(first)
    kind.check(second)
    clock.advance(30)
    with pytest.raises(TokenExpired):
        kind.check(second)


def test_two_servers_do_not_take_each_others_tokens() -> None:
    with pytest.raises(AuthenticationError):
        TokenMaker(StandingClock()).check(made())


def test_a_signing_key_that_is_none_or_of_another_kind_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    other = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for pem in (b"rubbish", other):
        with pytest.raises(ConfigError, match="signing key"):
            TokenMaker(StandingClock(), pem=pem)
