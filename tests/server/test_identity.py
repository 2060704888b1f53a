"""Who comes in: passwords, second factors, certificates, service tokens, sessions, and what ends them."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
from pathlib import Path

import httpx
import jwt
import pyotp
import pytest

from dsmilctl.config.paths import Paths
from dsmilctl.server.assembly import ServerOptions
from dsmilctl.server.identity.passwords import Hasher
from dsmilctl.server.identity.users import Users
from dsmilctl.server.serve import Listening
from dsmilctl.server.tls import Authority
from tests.server.doors import (
    CHEAP,
    CRITICAL,
    LOW,
    MEDIUM,
    OPERATIONS,
    PASSWORD,
    SECRET,
    SERVICE_TOKEN,
    Wall,
    code,
    doors,
    everybody,
    somebody,
    users_file,
)

ME = "/auth/whoami"


async def test_a_login_says_who_one_is_and_the_token_opens_the_door(home: Paths) -> None:
    async with doors() as server:
        tokens = (await server.login("operator")).json()
        claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})

        assert tokens["user_context"]["authorized_devices"] == list(range(0x8000, 0x803C))
        assert claims["clearance"] == "SECRET"
        assert claims["authorized_devices"] == tokens["user_context"]["authorized_devices"]
        assert "DEVICE_WRITE" in claims["permissions"]
        me = (await server.ask("", "GET", ME, token=tokens["access_token"])).json()
        assert (me["username"], me["clearance_level"]) == ("operator", "SECRET")
        assert (await server.login("ada")).json()["user_context"]["all_devices"]


async def test_a_wrong_password_an_unknown_name_and_a_disabled_user_get_one_answer(home: Paths) -> None:
    async with doors() as server:
        answers = [
            await server.login("operator", "wrong password"),
            await server.login("nobody"),
            await server.login("gone"),
            await server.login("script"),
            await server.login("", ""),
            await server.login("operator", "x" * 5000),
            await server.login("operator", "\ud800".encode("utf-8", "replace").decode()),
        ]
        assert {code(answer) for answer in answers[:5]} == {(401, "AUTHENTICATION_FAILED")}
        assert len({answer.json()["error"]["message"] for answer in answers[:6]}) == 1


async def test_three_failures_lock_the_name_for_half_an_hour_and_no_race_gets_around_it(home: Paths) -> None:
    clock = Wall()
    async with doors(clock=clock) as server:
        tries = await asyncio.gather(
            *(server.login("operator", f"guess number {item}") for item in range(12))
        )
        codes = sorted(answer.status_code for answer in tries)
        assert codes == [401] * 3 + [423] * 9

        locked = await server.login("operator")
        assert code(locked) == (423, "ACCOUNT_LOCKED")
        assert 1700 < locked.json()["error"]["retry_after"] <= 1800
        assert int(locked.headers["retry-after"]) > 1700
        assert (await server.login("ada")).status_code == 200
        for _ in range(3):
            await server.login("nobody")
        assert code(await server.login("nobody")) == (423, "ACCOUNT_LOCKED")
        clock.advance(1801)
        assert (await server.login("operator")).status_code == 200


async def test_many_may_log_in_to_one_account_at_once(home: Paths) -> None:
    async with doors() as server:
        answers = await asyncio.gather(*(server.login("operator") for _ in range(30)))
        assert {answer.status_code for answer in answers} == {200}


async def test_a_second_factor_is_asked_for_checked_and_taken_once(home: Paths) -> None:
    clock = Wall()
    async with doors(clock=clock) as server:
        asked = await server.login("careful")
        assert code(asked) == (401, "MFA_REQUIRED")
        assert asked.json()["error"]["details"]["mfa_methods"] == ["totp"]
        for _ in range(4):
            assert code(await server.login("careful")) == (401, "MFA_REQUIRED")

        now = pyotp.TOTP(SECRET).at(clock.now() // 10**9)
        assert code(await server.login("careful", mfa_token="000000")) == (401, "AUTHENTICATION_FAILED")
        assert (await server.login("careful", mfa_token=now)).status_code == 200
        assert code(await server.login("careful", mfa_token=now)) == (401, "AUTHENTICATION_FAILED")
        old = pyotp.TOTP(SECRET).at(clock.now() // 10**9 - 120)
        assert code(await server.login("careful", mfa_token=old)) == (401, "AUTHENTICATION_FAILED")


async def test_guessing_the_second_factor_locks_the_account(home: Paths) -> None:
    async with doors() as server:
        for number in range(3):
            await server.login("careful", mfa_token=f"00000{number}")
        assert code(await server.login("careful")) == (423, "ACCOUNT_LOCKED")


async def test_a_service_token_logs_in_and_a_wrong_one_locks_nobody_out(home: Paths) -> None:
    async with doors() as server:
        for _ in range(5):
            wrong = await server.login("", "", grant="service_token", service_token="dsmil-service-guess")
            assert code(wrong) == (401, "AUTHENTICATION_FAILED")
        tokens = await server.login("", "", grant="service_token", service_token=SERVICE_TOKEN)
        assert tokens.json()["user_context"]["username"] == "script"


def _altered(token: str, **claims: object) -> str:
    head, body, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "==")) | claims
    forged = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    return f"{head}.{forged}.{signature}"


async def test_forged_foreign_and_expired_tokens_are_refused(home: Paths) -> None:
    clock = Wall()
    async with doors(clock=clock) as server:
        token = await server.token("operator")
        claims = jwt.decode(token, options={"verify_signature": False})
        none = jwt.encode(claims, "", algorithm="none")
        foreign = jwt.encode(claims, "k" * 32, algorithm="HS256")
        forged = (
            none,
            none.rstrip("."),
            foreign,
            _altered(token, clearance="COSMIC"),
            token[:-4],
            "x",
            "a.b.c",
        )
        for bad in forged:
            assert code(await server.ask("", "GET", ME, token=bad)) == (401, "AUTHENTICATION_FAILED"), bad
        assert code(await server.ask("", "GET", ME)) == (401, "AUTHENTICATION_FAILED")
        clock.advance(1800)
        assert (await server.ask("", "GET", ME, token=token)).status_code == 200
        clock.advance(1801)
        late = await server.ask("", "GET", ME, token=token)
        assert code(late) == (401, "TOKEN_EXPIRED")
        assert late.headers["www-authenticate"] == "Bearer"


async def test_a_wall_clock_set_back_keeps_no_session_alive(home: Paths) -> None:
    clock = Wall()
    async with doors(clock=clock) as server:
        token = await server.token("operator")
        clock.ahead -= 86_400
        assert (await server.ask("", "GET", ME, token=token)).status_code == 200
        clock.advance(3601)
        assert code(await server.ask("", "GET", ME, token=token)) == (401, "AUTHENTICATION_FAILED")


async def test_a_refresh_token_rotates_and_its_second_use_ends_the_session(home: Paths) -> None:
    async with doors() as server:
        first = (await server.login("operator")).json()
        second = await server.ask("", "POST", "/auth/refresh", {"refresh_token": first["refresh_token"]})
        assert second.status_code == 200
        stolen = await server.ask("", "POST", "/auth/refresh", {"refresh_token": first["refresh_token"]})
        assert code(stolen) == (401, "AUTHENTICATION_FAILED")
        tokens = second.json()
        for token in (first["access_token"], tokens["access_token"]):
            assert code(await server.ask("", "GET", ME, token=token)) == (401, "AUTHENTICATION_FAILED")
        last = await server.ask("", "POST", "/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        assert code(last) == (401, "AUTHENTICATION_FAILED")


async def test_sessions_are_listed_and_ended_by_their_user_alone(home: Paths) -> None:
    async with doors() as server:
        here, there = [(await server.login("operator")).json()["access_token"] for _ in range(2)]
        listed = (await server.ask("", "GET", "/auth/sessions", token=here)).json()["sessions"]
        assert [item["current"] for item in listed] == [True, False]
        other = {"session_id": listed[1]["session_id"]}
        assert code(await server.ask("ada", "POST", "/auth/logout", other)) == (404, "NOT_FOUND")
        assert (await server.ask("", "POST", "/auth/logout", other, token=here)).status_code == 204
        assert code(await server.ask("", "GET", ME, token=there)) == (401, "AUTHENTICATION_FAILED")
        assert (await server.ask("", "POST", "/auth/logout", {}, token=here)).status_code == 204
        assert code(await server.ask("", "GET", ME, token=here)) == (401, "AUTHENTICATION_FAILED")


async def test_what_the_users_file_says_now_counts_not_what_the_token_says(
    home: Paths, tmp_path: Path
) -> None:
    users = users_file(tmp_path)
    async with doors(users=users) as server:
        assert (await server.write("operator", MEDIUM)).status_code == 200
        elsewhere = Users(tmp_path / "users.json")
        elsewhere.change("operator", clearance="CONFIDENTIAL")
        assert code(await server.write("operator", MEDIUM)) == (403, "PERMISSION_DENIED")
        elsewhere.change("operator", disabled=True)
        assert code(await server.write("operator", MEDIUM)) == (401, "AUTHENTICATION_FAILED")
        (tmp_path / "users.json").write_bytes(b"[{")
        answer = await server.ask("ada", "GET", ME, token=await server.token("operator"))
        assert answer.status_code in (401, 503)
        assert code(await server.login("ada")) == (503, "STATE_UNAVAILABLE")


async def test_devices_beyond_the_account_are_neither_listed_nor_read_nor_written_nor_streamed(
    home: Paths,
) -> None:
    async with doors() as server:
        listed = (await server.ask("operator", "GET", "/devices?limit=100")).json()
        assert listed["meta"]["user_authorized_devices"] == 60
        assert LOW not in [item["device_id"] for item in listed["devices"]]
        assert code(await server.ask("operator", "GET", f"/devices/{LOW}")) == (403, "PERMISSION_DENIED")
        assert code(await server.read("operator", LOW)) == (403, "PERMISSION_DENIED")
        assert code(await server.write("operator", LOW)) == (403, "PERMISSION_DENIED")
        streamed = await server.ask("operator", "GET", f"/devices/{LOW}/stream")
        assert code(streamed) == (403, "PERMISSION_DENIED")
        assert code(await server.ask("operator", "GET", "/devices/0x9999")) == (404, "DEVICE_NOT_FOUND")
        items = [
            {"device_id": item, "operation_type": "READ", "operation_data": {"register": "TEMP"}}
            for item in (CRITICAL, LOW)
        ]
        bulk = (await server.ask("operator", "POST", "/operations/bulk", {"operations": items})).json()
        assert [item["status"] for item in bulk["results"]] == ["SUCCESS", "DENIED"]
        assert bulk["results"][1]["error_code"] == "PERMISSION_DENIED"


async def test_the_clearance_matrix_decides(home: Paths) -> None:
    async with doors() as server:
        refused = await server.write("analyst", 0x8023)
        assert code(refused) == (403, "PERMISSION_DENIED")
        details = refused.json()["error"]["details"]
        assert (details["required_clearance"], details["user_clearance"]) == ("SECRET", "CONFIDENTIAL")
        assert (await server.read("analyst", 0x8023)).status_code == 200
        assert code(await server.read("visitor", 0x8023)) == (403, "PERMISSION_DENIED")
        release = await server.ask("operator", "POST", "/emergency/release", {"justification": "x" * 20})
        assert code(release) == (403, "PERMISSION_DENIED")
        bulk = {
            "operations": [{"device_id": 0x8023, "operation_type": "WRITE", "operation_data": {"value": 1}}],
            "justification": "the night shift asked for it",
        }
        assert code(await server.ask("analyst", "POST", "/operations/bulk", bulk)) == (
            403,
            "PERMISSION_DENIED",
        )


async def test_no_secret_is_ever_logged_or_journalled(home: Paths, caplog: pytest.LogCaptureFixture) -> None:
    canary = "canary-of-a-password"
    people = everybody() | {"owner": somebody("owner", password=Hasher(CHEAP).hash(canary))}
    caplog.set_level(logging.DEBUG)
    async with doors(users=Users(users=people)) as server:
        tokens = (await server.login("owner", canary)).json()
        await server.login("operator", f"{canary}-wrong")
        await server.login(f"{canary}-typed-into-the-wrong-field")
        await server.login("", "", grant="service_token", service_token=SERVICE_TOKEN)
        await server.ask("", "GET", f"{ME}?token={tokens['access_token']}", token=tokens["access_token"])
        await server.ask("", "POST", "/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        code_now = pyotp.TOTP(SECRET).now()
        await server.login("careful", mfa_token=code_now)
    written = b"".join(path.read_bytes() for path in Path(home.state).rglob("*") if path.is_file())
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("dsmilctl"))
    assert "owner logged in" in ours
    for secret in (canary, PASSWORD, SERVICE_TOKEN, tokens["access_token"], tokens["refresh_token"]):
        assert secret not in ours
        assert secret.encode() not in written


async def test_a_signing_key_makes_tokens_that_others_can_check(home: Paths) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    async with doors(options=ServerOptions(signing_key=pem, password_cost=CHEAP)) as server:
        token = await server.token("operator")
        claims = jwt.decode(token, public, algorithms=["EdDSA"], audience="dsmil-users")
        assert claims["username"] == "operator"
        confused = jwt.api_jws.encode(json.dumps(claims).encode(), b"k" * 32, algorithm="HS256")
        assert code(await server.ask("", "GET", ME, token=confused)) == (401, "AUTHENTICATION_FAILED")
        assert (await server.ask("", "GET", ME, token=token)).status_code == 200


async def test_a_client_certificate_logs_in_as_its_subject_and_headers_claim_nothing(
    home: Paths, tmp_path: Path
) -> None:
    authority, stranger = Authority(), Authority("somebody else")
    certificate, key = authority.issue(tmp_path, "server")
    client, client_key = authority.issue(tmp_path, "operator", hosts=())
    other, other_key = stranger.issue(tmp_path, "ada", hosts=())
    trusted = ssl.create_default_context(cafile=str(authority.save(tmp_path)))
    proving = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
    proving.load_cert_chain(client, client_key)
    foreign = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
    foreign.load_cert_chain(other, other_key)
    listening = Listening(
        certificate=str(certificate), key=str(key), client_authority=str(tmp_path / "authority.pem")
    )
    wish = {"grant": "certificate"}
    async with doors(listening=listening, verify=trusted) as server:
        assert server.url.startswith("https://")
        assert code(await server.login("", "", **wish)) == (401, "AUTHENTICATION_FAILED")
        claimed = {"X-Client-Cert": "operator", "X-SSL-Client-S-DN": "CN=operator"}
        assert code(await server.ask("", "POST", "/auth/login", wish, **claimed)) == (
            401,
            "AUTHENTICATION_FAILED",
        )
        async with httpx.AsyncClient(base_url=server.url, verify=proving) as http:
            tokens = (await http.post("/api/v2/auth/login", json=wish)).json()
            assert tokens["user_context"]["username"] == "operator"
            assert (await http.post("/api/v2/auth/login", json=wish)).status_code == 200
        async with httpx.AsyncClient(base_url=server.url, verify=foreign) as http:
            with pytest.raises(httpx.TransportError):
                await http.post("/api/v2/auth/login", json=wish)


async def test_a_disabled_user_is_put_out_of_an_open_session(home: Paths) -> None:
    async with doors() as server:
        assert (await server.ask("operator", "GET", ME)).status_code == 200
        server.users.change("operator", disabled=True)
        assert code(await server.ask("operator", "GET", ME)) == (401, "AUTHENTICATION_FAILED")
        server.users.change("operator", disabled=False)
        assert code(await server.ask("operator", "GET", ME)) == (401, "AUTHENTICATION_FAILED")
        body = {"operation_type": "READ", "operation_data": {"register": "TEMP"}}
        again = (await server.login("operator")).json()["access_token"]
        assert (
            await server.ask("", "POST", OPERATIONS.format(CRITICAL), body, token=again)
        ).status_code == 200


async def test_rights_that_are_taken_away_are_gone_at_the_next_request_of_an_open_session(
    home: Paths,
) -> None:
    body = {"operation_type": "READ", "operation_data": {"register": "TEMP"}}
    path = OPERATIONS.format(CRITICAL)
    async with doors() as server:
        assert (await server.ask("operator", "POST", path, body)).status_code == 200
        server.users.change("operator", devices=(0x8030,))
        assert code(await server.ask("operator", "POST", path, body)) == (403, "PERMISSION_DENIED")
        server.users.change("operator", devices=None, clearance="UNCLASSIFIED")
        assert code(await server.ask("operator", "POST", path, body)) == (403, "PERMISSION_DENIED")
        server.users.change("operator", clearance="SECRET")
        assert (await server.ask("operator", "POST", path, body)).status_code == 200
