"""Users of a server, in a private file: names, clearances, devices, and hashes of what they know."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import msgspec

from dsmilctl.config.private import read_private, write_private
from dsmilctl.errors import ConfigError, Conflict, InvalidParameter, NotFound, StateUnavailable, nearest
from dsmilctl.model.device import DeviceId
from dsmilctl.model.identity import Clearance
from dsmilctl.model.lookalike import skeleton
from dsmilctl.server.identity.passwords import token_digest

LARGEST = 16 << 20
"""Bytes of a file of users."""

SHORTEST_SECRET = 14
"""Bytes of a second factor."""

_Mark = tuple[int, int, int]
"""Inode, size and modification time of the file: another one means another content."""


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One user.

    `devices` None is all; `password` and `other_passwords` are argon2id hashes, `totp` a base32 secret
    (RFC 6238), `service_tokens` SHA-256 hashes of tokens that log in without a password, `certificates` the
    common names of client certificates that log in as this user, beside its own name.  Accounts with the
    same `person` belong to one, who cannot approve what another of them asked for.
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
    person: str = ""
    disabled: bool = False

    @property
    def level(self) -> Clearance:
        """The clearance as a level."""
        return Clearance[self.clearance]

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of the passwords that it has."""
        return tuple(item for item in (self.password, *self.other_passwords) if item)

    @property
    def keys(self) -> frozenset[str]:
        """Fingerprints of what proves this user; two users with one in common are the same person."""
        return _keys(self)

    @property
    def secrets_digest(self) -> str:
        """A digest of the passwords' hashes and the second factor: another one means other secrets."""
        return _secrets_digest(self)


@lru_cache(maxsize=4096)
def _keys(user: User) -> frozenset[str]:
    """Worked out once for a user as it is: each request asks for them."""
    said = [f"certificate {skeleton(item)}" for item in user.certificates]
    said += [f"service {item}" for item in user.service_tokens]
    said += [f"totp {user.totp.upper()}"] if user.totp else []
    said += [f"person {skeleton(user.person)}"] if user.person else []
    said += [f"person {skeleton(user.name)}"]
    return frozenset(hashlib.sha256(item.encode()).hexdigest() for item in said)


@lru_cache(maxsize=4096)
def _secrets_digest(user: User) -> str:
    """Worked out once for a user as it is, like the keys."""
    return hashlib.sha256(msgspec.json.encode([user.hashes, user.totp])).hexdigest()


class Users:
    """The users of one server.  Without a file they live in memory: those of the simulator.

    What another process writes into the file counts from the next question on; a file that cannot be read,
    or is gone, lets nobody in.
    """

    def __init__(self, path: Path | None = None, users: Mapping[str, User] | None = None) -> None:
        self._path = path
        self._users = dict(users or {})
        self._mark: _Mark | None = None
        self._refresh()

    def __len__(self) -> int:
        return len(self._users)

    @property
    def in_file(self) -> bool:
        """Whether they are those of a real server."""
        return self._path is not None

    def all(self) -> list[User]:
        """Every user, by name."""
        self._refresh()
        return [self._users[name] for name in sorted(self._users)]

    def find(self, name: str) -> User | None:
        """The user of exactly that name; raises StateUnavailable when the file cannot be read."""
        self._refresh_or_refuse()
        return self._users.get(name)

    def last_known(self, name: str) -> User | None:
        """The user of that name, as last read where the file cannot be read: nothing may hold a stop up."""
        with suppress(ConfigError):
            self._refresh()
        return self._users.get(name)

    def get(self, name: str) -> User:
        """The user of that name; raises NotFound."""
        self._refresh()
        user = self._users.get(name)
        if user is None:
            hint = nearest(name, self._users) or "dsmilctl user list"
            raise NotFound(f"no user {name!r}", hint=hint, target=name)
        return user

    def add(self, user: User) -> None:
        """Add a user; raises Conflict for a name or id that is taken, look-alikes included."""
        check_user(user)
        _check_strength(user)
        with self._alone():
            for other in self._users.values():
                if skeleton(user.name) == skeleton(other.name) or user.user_id == other.user_id:
                    message = f"user {user.name!r} exists, or one whose name looks the same ({other.name!r})"
                    raise Conflict(message, target=user.name)
            self._put(user)

    def put(self, user: User) -> None:
        """Keep a user as it is now."""
        check_user(user)
        _check_strength(user)
        with self._alone():
            self._put(user)

    def change(self, name: str, **fields: object) -> User:
        """Change fields of a user; raises NotFound."""
        with self._alone():
            changed = msgspec.structs.replace(self.get(name), **fields)
            check_user(changed)
            if "totp" in fields:
                _check_strength(changed)
            self._put(changed)
        return changed

    def _put(self, user: User) -> None:
        self._users[user.name] = user
        if self._path is not None:
            users = [self._users[name] for name in sorted(self._users)]
            write_private(self._path, msgspec.json.format(msgspec.json.encode(users), indent=2) + b"\n")
            self._mark = _mark(self._path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The file as it is now, and no other process that changes it."""
        if self._path is None:
            yield
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._refresh()
            yield
        finally:
            os.close(lock)

    def _refresh_or_refuse(self) -> None:
        try:
            self._refresh()
        except ConfigError as error:
            message = "nobody is let in: the users cannot be read"
            raise StateUnavailable(message, hint="the server's log tells why") from error

    def _refresh(self) -> None:
        if self._path is None:
            return
        mark = _mark(self._path)
        if mark == self._mark:
            return
        if mark is None:  # it was there: whoever moved it away has disabled nobody
            hint = "bring it back, or start the server anew"
            raise ConfigError(f"{self._path} is gone", hint=hint, target=str(self._path))
        self._users = _load(self._path)
        self._mark = mark

    def by_service_token(self, token: str) -> User | None:
        """Whose service token it is."""
        self._refresh_or_refuse()
        digest, found = token_digest(token), None
        for user in self._users.values():
            for known in user.service_tokens:
                if hmac.compare_digest(digest, known):
                    found = user
        return found

    def by_certificate(self, common_name: str) -> User | None:
        """Whose client certificate it is: who lists its name, else who has it; nobody where two list it."""
        self._refresh_or_refuse()
        if not common_name:
            return None
        listing = [user for user in self._users.values() if common_name in user.certificates]
        if listing:
            return listing[0] if len(listing) == 1 else None
        return self._users.get(common_name)


def check_user(user: User) -> None:
    """Raise InvalidParameter for what cannot be: a name, an id, a clearance, a second factor."""
    if not user.name or len(user.name) > 64 or not user.name.isprintable() or user.name != user.name.strip():
        raise InvalidParameter(f"{user.name!r} is no user name", hint="1 to 64 printable characters")
    if not user.user_id:
        raise InvalidParameter(f"{user.name} has no id", target="user_id")
    if user.clearance not in Clearance.__members__:
        hint = nearest(user.clearance, Clearance.__members__) or f"levels: {', '.join(Clearance.__members__)}"
        raise InvalidParameter(f"no clearance {user.clearance!r}", hint=hint, target="clearance")
    if user.totp and _secret_length(user.totp) < 10:
        raise InvalidParameter("a second factor is a base32 secret of at least 80 bits", target="totp")


def _check_strength(user: User) -> None:
    """Raise InvalidParameter for a new second factor that no code can be made of.

    A file of before may have one: its user alone does not come in.  Source: NIST SP 800-63B-4, 3.1.4.1.
    """
    if user.totp and _secret_length(user.totp) < SHORTEST_SECRET:
        message = f"a second factor is a base32 secret of at least {SHORTEST_SECRET * 8} bits"
        raise InvalidParameter(message, hint=f"dsmilctl user totp {user.name}", target="totp")


def _secret_length(secret: str) -> int:
    """The bytes of a base32 secret; 0 for what is none."""
    import base64
    import binascii

    try:
        return len(base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True))
    except (binascii.Error, ValueError):
        return 0


def _mark(path: Path) -> _Mark | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", target=str(path)) from error
    return found.st_ino, found.st_size, found.st_ctime_ns  # also when only its mode was changed


def _load(path: Path) -> dict[str, User]:
    hint = "mend it, or begin anew with: dsmilctl user add"
    try:
        content = read_private(path, LARGEST)
        if content is None:
            raise ConfigError(f"{path} is gone", hint=hint, target=str(path))
        users = msgspec.json.decode(content or b"[]", type=list[User])
        for user in users:
            check_user(user)
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidParameter) as error:
        raise ConfigError(f"{path}: {error}", hint=hint, target=str(path)) from error
    if len({skeleton(user.name) for user in users}) != len(users):
        raise ConfigError(f"{path}: two users have names that look the same", hint=hint, target=str(path))
    return {user.name: user for user in users}
