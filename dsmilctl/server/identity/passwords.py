"""Passwords and tokens: what is kept of them, and whether one is the one that is kept."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Sequence

import msgspec

from dsmilctl.errors import InvalidParameter

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1024
SERVICE_TOKEN_PREFIX = "dsmil-service-"
AT_ONCE = 4
"""Passwords that are compared at the same time: each takes 64 MiB."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What comparing a password costs: rounds, KiB of memory, lanes.  Source: RFC 9106, second choice."""

    rounds: int = 3
    memory: int = 65536
    lanes: int = 4


class Hasher:
    """Makes and compares argon2id hashes.  A cheaper cost is for tests."""

    def __init__(self, cost: Cost | None = None) -> None:
        from argon2 import PasswordHasher

        chosen = cost or Cost()
        self._hasher = PasswordHasher(
            time_cost=chosen.rounds, memory_cost=chosen.memory, parallelism=chosen.lanes
        )
        self._nobody = ""
        self._places = asyncio.Semaphore(AT_ONCE)

    def hash(self, password: str) -> str:
        """The hash of a password; raises InvalidParameter for one that is too short or too long."""
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise InvalidParameter(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
        return self._hasher.hash(password.encode("utf-8", "surrogatepass"))

    async def matches(self, hashes: Sequence[str], password: str) -> bool:
        """Whether one of the hashes is that of the password; takes as long for a user that has none."""
        async with self._places:
            return await asyncio.to_thread(self._matches, hashes, password)

    def _matches(self, hashes: Sequence[str], password: str) -> bool:
        if len(password) > LONGEST_PASSWORD:
            return False
        if not hashes:
            self._nobody = self._nobody or self._hasher.hash(secrets.token_bytes(16))
            self.fits(self._nobody, password)
            return False
        return any([self.fits(hashed, password) for hashed in hashes])

    def fits(self, hashed: str, password: str) -> bool:
        """Whether the hash is that of the password; it takes its time, and no place among those at once."""
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return self._hasher.verify(hashed, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False


def hash_password(password: str) -> str:
    """The argon2id hash of a password of a real server's user.

    Raises InvalidParameter for one that is too short or too long, or of the demo accounts: all know it.
    """
    from dsmilctl.server.demo_accounts import PASSWORDS  # which are made with the hashes of here

    if password in PASSWORDS:
        message = "this is the password of a demo account of the simulator, which everybody knows"
        raise InvalidParameter(message, hint="choose another one", target="password")
    return Hasher().hash(password)


def new_service_token() -> tuple[str, str]:
    """A service token and the digest that is kept of it."""
    token = SERVICE_TOKEN_PREFIX + secrets.token_urlsafe(32)
    return token, token_digest(token)


def token_digest(token: str) -> str:
    """What is kept of a token: it is random, so one round of SHA-256 is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
