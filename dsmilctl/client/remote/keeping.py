"""Keeping: the login of a context between processes, in one private file; one process renews it at a time."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from dsmilctl import redaction
from dsmilctl.clock import NANOSECONDS, Clock
from dsmilctl.config.paths import Paths, file_name
from dsmilctl.config.private import make_folders
from dsmilctl.config.secrets import Secrets
from dsmilctl.errors import ConfigError, DSMILError, OperationTimeout
from dsmilctl.wire.auth import Tokens, UserContext

LOGGER = logging.getLogger("dsmilctl.client")
WAIT = 0.02
"""Seconds between two looks whether another process has done renewing."""


class KeptLogin(msgspec.Struct, frozen=True, kw_only=True):
    """A login: its tokens, whose they are, which server they are for, and when the access token ends.

    `expires_at` is in nanoseconds UTC by the clock of this machine; `source` is how one logged in.
    """

    url: str
    access_token: str
    refresh_token: str
    expires_at: int
    user: UserContext
    source: str = "password"
    bulk_limit: int | None = None


class LoginStore:
    """Where the login of one context is kept.

    A login for another address than the context's is none: tokens never go to a server that did not make
    them.
    """

    def __init__(
        self, folders: Paths, context: str, url: str, clock: Clock, *, keyring: bool = False
    ) -> None:
        self._secrets = Secrets(folders.tokens_folder, keyring=keyring)
        self._name = f"login {context}"
        self._service = f"service token {context}"
        self._lock = folders.login_locks_folder / f"{file_name(context)}.lock"
        self._url = url.rstrip("/")
        self._clock = clock

    def load(self) -> KeptLogin | None:
        """The login, None where nobody is logged in; raises ConfigError for a file that others can read."""
        text = self._secrets.get(self._name)
        if text is None:
            return None
        try:
            kept = msgspec.json.decode(text.encode(), type=KeptLogin)
        except (msgspec.MsgspecError, UnicodeError):
            LOGGER.warning("the kept login cannot be read: log in again")
            return None
        for token in (kept.access_token, kept.refresh_token):
            redaction.register(token)
        return kept if kept.url == self._url else None

    def keep(self, tokens: Tokens, *, source: str) -> KeptLogin:
        """Keep new tokens in place of those before; raises ConfigError where they cannot be written."""
        kept = KeptLogin(
            url=self._url,
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            expires_at=self._clock.now() + tokens.expires_in * NANOSECONDS,
            user=tokens.user_context,
            source=source,
            bulk_limit=tokens.api_capabilities.bulk_operation_max_devices,
        )
        self._secrets.put(self._name, msgspec.json.encode(kept).decode())
        return kept

    def adopted(self, tokens: Tokens, *, grant: str, spent: str) -> None:
        """Keep the tokens of a login, or those that came for `spent` where that login is the kept one.

        What cannot be kept is told and holds nothing up.
        """
        try:
            before = self.load()
            if grant:
                self.keep(tokens, source=grant)
            elif before is not None and before.refresh_token == spent:
                self.keep(tokens, source=before.source)
        except DSMILError as error:
            LOGGER.warning("the login cannot be kept: %s", error)

    def ended(self, refresh_token: str) -> None:
        """Forget the login that the server has ended, where it is the one that is kept."""
        try:
            kept = self.load()
            if kept is not None and kept.refresh_token == refresh_token:
                self.forget()
        except DSMILError as error:
            LOGGER.warning("the ended login cannot be forgotten: %s", error)

    def forget(self) -> bool:
        """Be nobody from now on; whether there was a login."""
        return self._secrets.delete(self._name)

    def service_token(self) -> str:
        """The token of a service account that logs in again when the session is over; '' for none."""
        url, _, token = (self._secrets.get(self._service) or "").rpartition(" ")
        redaction.register(token)
        return token if url == self._url else ""

    def keep_service_token(self, token: str) -> None:
        """Keep the token of a service account for this server; without one forget it."""
        if token:
            self._secrets.put(self._service, f"{self._url} {token}")
        else:
            self._secrets.delete(self._service)

    @asynccontextmanager
    async def alone(self, ends: float) -> AsyncIterator[None]:
        """Be the only process that renews this login; raises OperationTimeout at `ends` (monotonic)."""
        descriptor = _opened(self._lock)
        try:
            while not _locked(descriptor):
                if self._clock.monotonic() >= ends:
                    raise OperationTimeout("another process is renewing the login, and does not end")
                await asyncio.sleep(WAIT)
            yield
        finally:
            os.close(descriptor)


def _opened(lock: Path) -> int:
    try:
        make_folders(lock.parent)
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigError(f"{lock}: {error.strerror}", target=str(lock)) from None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
