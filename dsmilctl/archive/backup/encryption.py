"""Encryption: backups that only a passphrase opens, each object as a file of the age format.

The passphrase opens `key.age`, which holds an age identity; manifests and objects are encrypted to that.
The names of objects are keyed, so that they do not give away what is in them.  Whoever has the passphrase can
read everything with `age` alone.  Source: age-encryption.org/v1.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import msgspec

from dsmilctl.archive.backup.manifest import Entry, Manifest, require_sound
from dsmilctl.archive.backup.repository import Repository, Target
from dsmilctl.errors import AuthenticationError, CheckFailed, MissingExtraError

KEY = "key.age"
KEY_SUM = "key.age.sha256"
"""SHA-256 of the key, as `sha256sum -c` reads it: so a damaged one is told from a wrong passphrase."""

INSTALL = "pip install 'dsmilctl[backup]'"
PREFIX = b"age-encryption.org/v1"


class Key:
    """What opens and makes the encrypted backups of one place: an age identity."""

    def __init__(self, identity: str) -> None:
        from pyrage import x25519

        self._identity = x25519.Identity.from_str(identity)
        self._recipient = self._identity.to_public()
        self._names = hashlib.sha256(b"dsmilctl names of objects\0" + identity.encode()).digest()
        self._proof = hashlib.sha256(b"dsmilctl proof of manifests\0" + identity.encode()).digest()

    def encrypt(self, content: bytes) -> bytes:
        """Content that only this key opens."""
        import pyrage

        sealed: bytes = pyrage.encrypt(content, [self._recipient])
        return sealed

    def decrypt(self, sealed: bytes) -> bytes:
        """The content again; raises ValueError where it is damaged or another key's."""
        import pyrage

        try:
            content: bytes = pyrage.decrypt(sealed, [self._identity])
        except pyrage.DecryptError as error:
            raise ValueError(f"it cannot be decrypted: {error}") from error
        return content

    def name_of(self, content: bytes) -> str:
        """The name of an object: HMAC-SHA-256 of its content."""
        return hmac.new(self._names, content, hashlib.sha256).hexdigest()

    def proof_of(self, content: bytes) -> str:
        """What nobody without the key can make: HMAC-SHA-256 of a manifest."""
        return hmac.new(self._proof, content, hashlib.sha256).hexdigest()


class _Contents(msgspec.Struct, frozen=True):
    """What is encrypted of a manifest: its entries, and the proof that all of it was made with the key."""

    entries: tuple[Entry, ...]
    proof: str


class Encrypting(Repository):
    """A place whose encrypted backups can be read; new ones are encrypted when `encrypts`.

    `passphrase` is asked for once, when something encrypted is read or written; told whether it is a new one.
    """

    def __init__(self, target: Target, passphrase: Callable[[bool], str], *, encrypts: bool) -> None:
        super().__init__(target)
        self.encrypts = encrypts
        self._passphrase = passphrase
        self._key: Key | None = None

    def prepare(self) -> None:
        """Have the key at hand, where backups are encrypted."""
        if self.encrypts:
            self.unlock()

    def unlock(self) -> Key:
        """The key; where there is none yet and backups are to be encrypted, it is made.

        Raises AuthenticationError for a wrong passphrase, CheckFailed for a key that is missing or damaged.
        """
        if self._key is None:
            require_encryption()
            there = KEY in self.target.names()
            if not there and (not self.encrypts or any(item.sealed for item in self.manifests())):
                hint = "without it no encrypted backup can be read: bring it back from another copy"
                raise CheckFailed(f"{KEY} is missing in {self.target}", hint=hint, target=KEY)
            self._key = self._opened() if there else self._made()
        return self._key

    def _opened(self) -> Key:
        import pyrage

        sealed = self.target.read(KEY)
        require_whole_key(self.target, sealed)
        try:
            identity: bytes = pyrage.passphrase.decrypt(sealed, self._passphrase(False))
        except pyrage.DecryptError as error:
            hint = "the passphrase with which the first backup here was encrypted"
            raise AuthenticationError(f"the passphrase does not open {KEY}", hint=hint, target=KEY) from error
        return Key(identity.decode())

    def _made(self) -> Key:
        import pyrage

        identity = str(pyrage.x25519.Identity.generate())
        sealed: bytes = pyrage.passphrase.encrypt(identity.encode(), self._passphrase(True))
        self.target.write(KEY_SUM, _sum_of(sealed))
        self.target.write(KEY, sealed)
        self.target.settle()
        return Key(identity)

    def entries(self, manifest: Manifest) -> tuple[Entry, ...]:
        """The files of a backup; raises ValueError where the manifest was not made with the key."""
        if not manifest.sealed:
            return super().entries(manifest)
        key = self.unlock()
        try:
            content = key.decrypt(base64.b64decode(manifest.sealed, validate=True))
            found = msgspec.json.decode(content, type=_Contents)
        except msgspec.MsgspecError as error:
            raise ValueError(f"it cannot be read: {error}") from error
        if not hmac.compare_digest(found.proof, key.proof_of(_provable(manifest, found.entries))):
            raise ValueError("it was not made with the key")
        require_sound(found.entries)
        return found.entries

    def seal(self, manifest: Manifest) -> Manifest:
        """A manifest as it is kept: encrypted, but for its name, its moment and its counts."""
        if not self.encrypts:
            return super().seal(manifest)
        key, entries = self.unlock(), manifest.entries
        plain = msgspec.structs.replace(manifest, entries=(), objects=tuple(sorted(manifest.needs)))
        proof = key.proof_of(_provable(plain, entries))
        sealed = key.encrypt(msgspec.json.encode(_Contents(entries, proof)))
        return msgspec.structs.replace(plain, sealed=base64.b64encode(sealed).decode())

    def name_of(self, block: bytes) -> str:
        """The name of the object with this content."""
        return self.unlock().name_of(block) if self.encrypts else super().name_of(block)

    def pack(self, block: bytes) -> bytes:
        """Content as it is kept."""
        packed = super().pack(block)
        return self.unlock().encrypt(packed) if self.encrypts else packed

    def content_of(self, name: str, stored: bytes) -> bytes:
        """The content of an object; raises ValueError where it is not what its name says."""
        if not stored.startswith(PREFIX):
            return super().content_of(name, stored)
        key = self.unlock()
        content = self.unpacked(key.decrypt(stored))
        if key.name_of(content) != name:
            raise ValueError("it holds something else than its name says: it was renamed")
        return content


def require_whole_key(target: Target, sealed: bytes) -> None:
    """Raise CheckFailed where a key is not what it was when it was made."""
    try:
        whole = target.read(KEY_SUM) == _sum_of(sealed)
    except FileNotFoundError:
        whole = True  # only what tells damage from a wrong passphrase is missing
    if not whole:
        hint = "bring it back from another copy"
        raise CheckFailed(f"{KEY}: bits of it have changed: its SHA-256 differs", hint=hint, target=KEY)


def require_encryption() -> None:
    """Raise MissingExtraError, which names the extra, unless age can be imported."""
    if find_spec("pyrage") is None:
        raise MissingExtraError("an encrypted backup needs pyrage", hint=INSTALL, target="backup")


def _sum_of(sealed: bytes) -> bytes:
    return f"{hashlib.sha256(sealed).hexdigest()}  {KEY}\n".encode()


def _provable(manifest: Manifest, entries: tuple[Entry, ...]) -> bytes:
    """What a proof covers: everything of a manifest but what is made after it."""
    bare: Any = msgspec.structs.replace(manifest, entries=entries, sealed="", digest="")
    return msgspec.json.encode(bare)
