"""Doors that stay closed: what a key, a code, a token, a password or a flag must not open."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pyotp
import pytest
from starlette.responses import Response

from dsmilctl.clock import NANOSECONDS, SYSTEM
from dsmilctl.config.paths import Paths
from dsmilctl.errors import ConfigError, Conflict, InvalidParameter, UsageError
from dsmilctl.server.assembly import ServerOptions
from dsmilctl.server.idempotency import MOST_KEYS, Idempotency
from dsmilctl.server.identity.passwords import Hasher, hash_password
from dsmilctl.server.identity.users import Users
from dsmilctl.server.serve import Listening, bind, check_listening
from tests.server.doors import (
    CHEAP,
    CRITICAL,
    MEDIUM,
    OPERATIONS,
    PASSWORD,
    SECRET,
    WHY,
    Wall,
    code,
    doors,
    everybody,
    hashed,
    somebody,
    users_file,
)


async def test_a_key_that_rejected_an_approval_does_not_approve_it(home: Paths) -> None:
    async with doors() as server:
        wish = (await server.wish()).json()["approval_id"]
        key = {"idempotency-key": "one-verdict"}
        body = {"justification": WHY}

        rejected = await server.ask("grace", "POST", f"/approvals/{wish}/reject", body, **key)
        approved = await server.ask("grace", "POST", f"/approvals/{wish}/approve", body, **key)
        again = await server.ask("grace", "POST", f"/approvals/{wish}/reject", body, **key)

        assert rejected.json()["status"] == "REJECTED"
        assert code(approved) == (409, "CONFLICT")
        assert again.headers["idempotent-replay"] == "true"


async def test_the_tokens_of_a_login_are_given_to_nobody_again_whatever_the_key(home: Paths) -> None:
    async with doors() as server:
        body = {"username": "ada", "password": PASSWORD}
        key = {"idempotency-key": "one-login"}

        logins = [
            await server.ask(user, "POST", "/auth/login", body, **key) for user in ("", "", "ada", "ada")
        ]

        assert {answer.status_code for answer in logins} == {200}
        assert len({answer.json()["refresh_token"] for answer in logins}) == 4


async def test_reads_run_anew_and_take_no_place_in_the_memory_of_keys(home: Paths) -> None:
    async with doors() as server:
        read = {"operation_type": "READ", "operation_data": {"register": "TEMP"}}
        bulk = {"operations": [read | {"device_id": CRITICAL}]}
        key = {"idempotency-key": "one-read"}
        asked = [(OPERATIONS.format(CRITICAL), read), ("/operations/bulk", bulk)] * 2

        answers = [await server.ask("ada", "POST", path, body, **key) for path, body in asked]

        assert {answer.status_code for answer in answers} == {200}
        assert not any("idempotent-replay" in answer.headers for answer in answers)


async def _answered(size: int = 10) -> Response:
    return Response(b"x" * size)


async def test_no_number_of_keys_makes_the_server_forget_what_still_runs_or_another_user() -> None:
    kept, end = Idempotency(SYSTEM), asyncio.Event()

    async def slow() -> Response:
        await end.wait()
        return await _answered()

    await kept.once("grace", "hers", b"", _answered)
    running = asyncio.create_task(kept.once("ada", "slow", b"", slow))
    await asyncio.sleep(0)
    for number in range(MOST_KEYS + 5):
        await kept.once("ada", f"key-{number}", b"", _answered)
    again = asyncio.create_task(kept.once("ada", "slow", b"", _answered))
    await asyncio.sleep(0)
    end.set()

    await running
    assert (await again).headers["idempotent-replay"] == "true"
    assert "idempotent-replay" in (await kept.once("grace", "hers", b"", _answered)).headers
    assert "idempotent-replay" not in (await kept.once("ada", "key-1", b"", _answered)).headers


async def test_large_answers_make_room_for_each_other_by_their_bytes() -> None:
    kept = Idempotency(SYSTEM)
    for number in range(20):
        await kept.once("ada", f"key-{number}", b"", partial(_answered, 1 << 20))

    assert "idempotent-replay" in (await kept.once("ada", "key-19", b"", _answered)).headers
    assert "idempotent-replay" not in (await kept.once("ada", "key-0", b"", _answered)).headers


async def test_a_stale_token_keeps_nobody_from_health_a_refresh_or_a_login(home: Paths) -> None:
    clock = Wall()
    async with doors(clock=clock, options=ServerOptions(password_cost=CHEAP, token_lifetime=60)) as server:
        tokens = (await server.login("ada")).json()
        clock.advance(120)
        body = {"refresh_token": tokens["refresh_token"]}
        login = {"username": "ada", "password": PASSWORD}

        for token in (tokens["access_token"], "rubbish"):
            health = await server.ask("", "GET", "/monitoring/health", token=token)
            assert (health.status_code, "components" in health.json()) == (200, False)
            assert (await server.ask("", "POST", "/auth/login", login, token=token)).status_code == 200
        stale = tokens["access_token"]
        assert (await server.ask("", "POST", "/auth/refresh", body, token=stale)).status_code == 200


async def test_a_users_file_that_was_moved_away_stops_no_stop_and_ends_no_session(
    home: Paths, tmp_path: Path
) -> None:
    file, aside = tmp_path / "users.json", tmp_path / "aside.json"
    async with doors(users=users_file(tmp_path)) as server:
        await server.token("ada")
        file.rename(aside)

        assert code(await server.ask("ada", "GET", "/auth/whoami")) == (503, "STATE_UNAVAILABLE")
        stopped = await server.ask("ada", "POST", "/emergency/stop", {"justification": WHY})
        assert stopped.status_code == 200
        aside.rename(file)
        assert (await server.ask("ada", "GET", "/auth/whoami")).status_code == 200


async def test_a_code_is_not_good_again_in_other_digits(home: Paths) -> None:
    clock = Wall()
    async with doors(clock=clock) as server:
        now = pyotp.TOTP(SECRET).at(clock.now() // NANOSECONDS)
        wide = now.translate({ord("0") + digit: chr(0xFF10 + digit) for digit in range(10)})

        first = await server.login("careful", mfa_token=now)
        again = await server.login("careful", mfa_token=wide)

        assert first.status_code == 200
        assert code(again) == (401, "AUTHENTICATION_FAILED")


@pytest.mark.parametrize("changed", [{"password": "$argon2id$another"}, {"totp": SECRET}])
async def test_another_password_or_second_factor_ends_the_sessions_of_before(
    home: Paths, changed: dict[str, str]
) -> None:
    async with doors() as server:
        first, second, other = [(await server.login(name)).json() for name in ("ada", "ada", "grace")]
        server.users.change("ada", **changed)

        me = await server.ask("", "GET", "/auth/whoami", token=first["access_token"])
        refreshed = await server.ask("", "POST", "/auth/refresh", {"refresh_token": second["refresh_token"]})
        hers = await server.ask("", "GET", "/auth/whoami", token=other["access_token"])

        assert code(me) == code(refreshed) == (401, "AUTHENTICATION_FAILED")
        assert hers.status_code == 200
        server.users.change("ada", password=hashed(), totp="")
        assert code(await server.ask("", "GET", "/auth/whoami", token=first["access_token"]))[0] == 401


async def test_a_second_factor_that_is_too_short_is_not_set_and_answers_no_500(home: Paths) -> None:
    weak, strong = "A" * 16, "A" * 24
    people = everybody() | {"old": somebody("old", totp=weak)}
    async with doors(users=Users(users=people)) as server:
        for set_anew in (
            lambda: server.users.add(somebody("new", totp=weak)),
            lambda: server.users.put(somebody("ada", totp=weak)),
            lambda: server.users.change("ada", totp=weak),
        ):
            with pytest.raises(InvalidParameter, match="112 bits"):
                set_anew()
        assert code(await server.login("old", mfa_token="123456")) == (401, "AUTHENTICATION_FAILED")
        assert server.users.change("old", disabled=True).disabled
        assert server.users.change("ada", totp=strong).totp == strong
        pyotp.TOTP(strong)


async def test_a_real_server_refuses_the_demo_passwords_and_serves_no_file_that_takes_them(
    home: Paths, tmp_path: Path
) -> None:
    for password in ("dsmil_admin_2024", "secure_password", "monitor_password"):
        with pytest.raises(InvalidParameter, match="everybody knows"):
            hash_password(password)
    users = users_file(tmp_path)
    known = Hasher(CHEAP).hash("secure_password")
    users.change("operator", password=hashed(), other_passwords=(known,))

    with pytest.raises(ConfigError, match="'operator' has the password of the simulator's demo account"):
        async with doors(users=users):
            pass

    users.change("operator", other_passwords=())
    async with doors(users=users) as server:
        assert (await server.login("operator")).status_code == 200


async def test_a_demo_password_under_another_name_in_a_file_of_users_opens_nothing(
    home: Paths, tmp_path: Path
) -> None:
    users = users_file(tmp_path)
    users.change("ada", other_passwords=(Hasher(CHEAP).hash("dsmil_op_2024"),))

    async with doors(users=users) as server:
        refused = await server.login("ada", "dsmil_op_2024")

        assert code(refused) == (401, "AUTHENTICATION_FAILED")
        assert (await server.login("ada")).status_code == 200


@pytest.mark.parametrize(
    ("listening", "option"),
    [(Listening(key="key.pem"), "--tls-key"), (Listening(client_authority="ca.pem"), "--client-ca")],
)
def test_words_about_tls_without_a_certificate_are_refused_not_ignored(
    listening: Listening, option: str
) -> None:
    with pytest.raises(UsageError, match=f"{option} .* without --tls-cert") as refused:
        check_listening(listening)
    assert refused.value.target == option


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_a_host_that_is_not_this_machine_is_the_wrong_host_not_a_port_that_is_taken(host: str) -> None:
    with pytest.raises(UsageError, match="cannot listen on") as refused:
        bind(Listening(host=host))
    assert refused.value.target == "--host"

    with bind(Listening()) as taken, pytest.raises(Conflict, match="in use"):
        bind(Listening(port=taken.getsockname()[1]))


@pytest.mark.parametrize("scope", ["SINGLE_DEVICE", "DEVICE_GROUP"])
async def test_a_stop_takes_an_id_in_hex_and_still_names_what_is_none(home: Paths, scope: str) -> None:
    async with doors() as server:
        order = {"scope": scope, "justification": WHY}
        wrong = await server.ask(
            "ada", "POST", "/emergency/stop", order | {"target_devices": ["0xZZ", "0x9999"]}
        )
        stop = await server.ask("ada", "POST", "/emergency/stop", order | {"target_devices": ["0x8001"]})

        assert code(wrong) == (422, "INVALID_PARAMETER")
        assert stop.status_code == 200, stop.text
        assert 0x8001 in stop.json()["confirmed"]


async def test_a_device_that_a_bulk_names_twice_has_each_value_once(home: Paths) -> None:
    async with doors() as server:
        read = {"operation_type": "READ", "operation_data": {"registers": ["TEMP", "STATUS"]}}
        items = [read | {"device_id": device} for device in (CRITICAL, MEDIUM, CRITICAL)]

        answer = (await server.ask("ada", "POST", "/operations/bulk", {"operations": items})).json()

        named = [[value["register"] for value in item["result"]["values"]] for item in answer["results"]]
        assert named == [["TEMP", "STATUS"]] * 3
        assert [item["device_id"] for item in answer["results"]] == [CRITICAL, MEDIUM, CRITICAL]
