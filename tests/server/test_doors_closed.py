"""Doors that stay closed: what a key, a code, a token, a password or a flag must not open."""

from __future__ import annotations

from dsmilctl.config.paths import Paths
from tests.server.doors import PASSWORD, WHY, code, doors


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
