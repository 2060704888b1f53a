"""Users of a server, in a private file: names, clearances, devices, and hashes of what they know."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from dsmilctl.config.private import read_private, write_private
from dsmilctl.errors import ConfigError, Conflict, InvalidParameter, NotFound, nearest
from dsmilctl.model.device import DeviceId
from dsmilctl.model.identity import Clearance
from dsmilctl.model.lookalike import skeleton

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1024
SERVICE_TOKEN_PREFIX = "dsmil-service-"


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One user.

    `devices` None is all; `password` and `other_passwords` are argon2id hashes, `totp` a base32 secret (RFC 6238),
    `service_tokens` SHA-256 hashes of tokens that log in without a password, `certificates` the common names
    of client certificates that log in as this user.
    """

    name: str
    user_id: str
    clearance: str = "CONFIDENTIAL"
    devices: tuple[DeviceId, ...] | None = None
    compartments: tuple[str, ...] = ("DSMIL",)
    password: str = ""
    other_passwords: tuple[str, ...] = ()
    totp: str = ""
    service_tokens: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    disabled: bool = False

    @property
    def level(self) -> Clearance:
        """The clearance as a level."""
        return Clearance[self.clearance]


class Users:
    """The users of one server.  Without a file they live in memory: those of the simulator."""

    def __init__(self, path: Path | None = None, users: Mapping[str, User] | None = None) -> None:
        self._path = path
        self._users = dict(users or {})
        if path is not None and path.exists():
            self._users = _load(path)

    def __len__(self) -> int:
        return len(self._users)

    def all(self) -> list[User]:
        """Every user, by name."""
        return [self._users[name] for name in sorted(self._users)]

    def find(self, name: str) -> User | None:
        """The user of exactly that name."""
        return self._users.get(name)

    def get(self, name: str) -> User:
        """The user of that name; raises NotFound."""
        user = self._users.get(name)
        if user is None:
            hint = nearest(name, self._users) or "dsmilctl user list"
            raise NotFound(f"no user {name!r}", hint=hint, target=name)
        return user

    def add(self, user: User) -> None:
        """Add a user; raises Conflict for a name that is taken, look-alikes included."""
        if skeleton(user.name) in {skeleton(name) for name in self._users}:
            raise Conflict(f"user {user.name!r} exists, or one whose name looks the same", target=user.name)
        self.put(user)

    def put(self, user: User) -> None:
        """Keep a user as it is now."""
        check_user(user)
        self._users[user.name] = user
        if self._path is not None:
            content = msgspec.json.format(msgspec.json.encode(self.all()), indent=2) + b"\n"
            write_private(self._path, content)

    def by_service_token(self, token: str) -> User | None:
        """Whose service token it is."""
        digest = token_digest(token)
        for user in self._users.values():
            if any(hmac.compare_digest(digest, known) for known in user.service_tokens):
                return user
        return None

    def by_certificate(self, common_name: str) -> User | None:
        """Whose client certificate it is."""
        for user in self._users.values():
            if common_name and common_name in user.certificates:
                return user
        return None


def check_user(user: User) -> None:
    """Raise InvalidParameter for a name or clearance that cannot be."""
    if not user.name or len(user.name) > 64 or not user.name.isprintable() or user.name != user.name.strip():
        raise InvalidParameter(f"{user.name!r} is no user name", hint="1 to 64 printable characters")
    if user.clearance not in Clearance.__members__:
        hint = nearest(user.clearance, Clearance.__members__) or f"levels: {', '.join(Clearance.__members__)}"
        raise InvalidParameter(f"no clearance {user.clearance!r}", hint=hint, target="clearance")


def _load(path: Path) -> dict[str, User]:
    try:
        users = msgspec.json.decode(read_private(path) or b"[]", type=list[User])
    except msgspec.MsgspecError as error:
        raise ConfigError(
            f"{path}: {error}", hint="dsmilctl user list --users FILE", target=str(path)
        ) from error
    for user in users:
        check_user(user)
    return {user.name: user for user in users}


def hash_password(password: str) -> str:
    """The argon2id hash of a password; raises InvalidParameter for one that is too short or too long.

    Source: RFC 9106.
    """
    from argon2 import PasswordHasher

    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidParameter(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    return PasswordHasher().hash(password)


def verify_password(hashed: str, password: str) -> bool:
    """Whether the password is the one that was hashed; takes as long for a user that has none."""
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    if len(password) > LONGEST_PASSWORD:
        return False
    try:
        return PasswordHasher().verify(hashed or _NOBODY, password) and bool(hashed)
    except (VerificationError, InvalidHashError):
        return False


_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$Jnu4Yr0nGZMIW5Pk4xVQvAtt2h0nN8RoX4gE0kq4y2U"
"""A hash that no password has: comparing with it costs what comparing with a real one does."""


def new_service_token() -> tuple[str, str]:
    """A service token and the digest that is kept of it."""
    token = SERVICE_TOKEN_PREFIX + secrets.token_urlsafe(32)
    return token, token_digest(token)


def token_digest(token: str) -> str:
    """What is kept of a token: it is random, so one round of SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
