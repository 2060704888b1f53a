"""Doors that stay closed: what a key, a code, a token, a password or a flag must not open."""

from __future__ import annotations

from dsmilctl.config.paths import Paths
from tests.server.doors import WHY, code, doors


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
