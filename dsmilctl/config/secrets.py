"""Secrets: passwords and tokens by name, one private file each, or the system keyring where wanted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dsmilctl import redaction
from dsmilctl.config.paths import file_name, name_of
from dsmilctl.config.private import check_private, private_folder, read_private, write_private
from dsmilctl.errors import ConfigError, InvalidParameter, MissingExtraError, StateUnavailable

SERVICE = "dsmilctl"
"""What the entries are called in the keyring."""

LONGEST = 200
"""Characters of an escaped name: file systems end at 255, and a temporary name is longer."""

LARGEST = 64 * 1024
"""Bytes of one secret."""


class Secrets:
    """The secrets of one user.

    Every file has mode 0600 from its first moment, in a folder of mode 0700; what is open to others, belongs
    to somebody else or is a link is refused with the command that mends it.  With `keyring` the file only
    remembers the name and the secret is in the system keyring.  Whatever is read or written here is hidden
    from logs from then on.
    """

    def __init__(self, folder: Path, *, keyring: bool = False) -> None:
        self._folder = folder
        self._keyring = keyring

    def __repr__(self) -> str:
        return f"Secrets({str(self._folder)!r}, keyring={self._keyring})"

    def get(self, name: str) -> str | None:
        """The secret of that name, None where there is none; raises ConfigError for an open file."""
        file = self._file(name)
        if not self._checked_folder():
            return None
        content = read_private(file, LARGEST)
        if content is None:
            return None
        secret = content.decode("utf-8", "surrogateescape") or self._from_keyring(name)
        if secret:
            redaction.register(secret)
        return secret

    def resolve(self, reference: str) -> str | None:
        """The secret that a configuration refers to: a kept one, `env:VARIABLE` or `file:PATH`.

        A file has to be private; the line end behind the secret is no part of it.  None where there is none.
        """
        kind, _, place = reference.partition(":")
        if kind == "env" and place:
            secret = os.environ.get(place) or None
        elif kind == "file" and place:
            content = read_private(Path(place), LARGEST)
            secret = content.decode("utf-8", "surrogateescape").rstrip("\r\n") if content else None
        else:
            return self.get(reference)
        if secret:
            redaction.register(secret)
        return secret

    def put(self, name: str, value: str) -> None:
        """Keep a secret, in place of the one before; raises ConfigError, InvalidParameter when empty."""
        file, content = self._file(name), value.encode("utf-8", "surrogateescape")
        if not content or len(content) > LARGEST:
            raise InvalidParameter(f"a secret has 1 to {LARGEST} bytes", target=name)
        redaction.register(value)
        private_folder(self._folder)
        if self._keyring:
            _call(_keyring().set_password, name, value)
            content = b""
        write_private(file, content)

    def delete(self, name: str) -> bool:
        """Forget a secret; whether there was one."""
        file = self._file(name)
        if not self._checked_folder() or not file.exists():
            return False
        if self._keyring and not file.stat().st_size:
            _call(_keyring().delete_password, name)
        for left_by_a_crash in self._folder.glob(f".{file.name}.*"):
            left_by_a_crash.unlink(missing_ok=True)
        file.unlink(missing_ok=True)
        return True

    def names(self) -> list[str]:
        """The names of all secrets, in order."""
        if not self._checked_folder():
            return []
        return sorted(name_of(file.name) for file in self._folder.iterdir() if not file.name.startswith("."))

    def _checked_folder(self) -> bool:
        """Whether there is a folder; raises ConfigError when others may look into it."""
        try:
            state = self._folder.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        check_private(self._folder, state)
        return True

    def _file(self, name: str) -> Path:
        escaped = file_name(name)
        if not name or len(escaped) > LONGEST:
            raise InvalidParameter(f"{name[:40]!r} cannot be the name of a secret", hint="use a shorter name")
        return self._folder / escaped

    def _from_keyring(self, name: str) -> str | None:
        """The secret that the keyring holds; the file says only that it is there."""
        if not self._keyring:
            message = f"secret {name!r} is in the system keyring, which the settings do not use"
            raise ConfigError(message, hint="dsmilctl config set keyring true", target=name)
        found = _call(_keyring().get_password, name)
        return str(found) if found else None


def _keyring() -> Any:
    from importlib import import_module

    try:
        return import_module("keyring")
    except ModuleNotFoundError as error:
        message = "keeping secrets in the system keyring needs the package keyring"
        raise MissingExtraError(message, hint="pip install 'dsmilctl[keyring]'", target="keyring") from error


def _call(function: Any, *arguments: str) -> Any:
    """Ask the keyring; its errors never repeat what it was given."""
    try:
        return function(SERVICE, *arguments)
    except Exception as error:  # a keyring's back end may fail with anything
        message = f"the system keyring refused: {type(error).__name__}"
        raise StateUnavailable(
            message, hint="dsmilctl config set keyring false keeps files instead"
        ) from None
