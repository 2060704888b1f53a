"""Session: who the client is to the server.  Its tokens live in memory, and in the store of a context."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from dsmilctl import redaction
from dsmilctl.client.remote.config import ClientConfig
from dsmilctl.client.remote.failures import again
from dsmilctl.clock import NANOSECONDS, Clock
from dsmilctl.errors import AuthenticationError
from dsmilctl.wire.auth import Login, Tokens, UserContext

if TYPE_CHECKING:
    from dsmilctl.client.remote.keeping import KeptLogin, LoginStore

MARGIN = 300.0
"""Seconds before its end at which an access token is renewed."""


class Session:
    """The tokens of one client and when they end, by the clock of this machine alone.

    The lifetime comes as a number of seconds, so a server's clock that is a day off does no harm.
    """

    def __init__(self, config: ClientConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self.access_token = ""
        self.refresh_token = ""
        self.user: UserContext | None = None
        self.bulk_limit: int | None = None
        self.refused: AuthenticationError | None = None
        self.renewing = asyncio.Lock()
        self.adopted: Callable[[Tokens], None] | None = None
        self.store: LoginStore | None = None
        self.login_hint = "log in again"
        self._renew_at = float("inf")

    def adopt(self, tokens: Tokens, grant: str = "") -> None:
        """Go on with these tokens, of a login (its `grant`) or of a renewal."""
        redaction.register(tokens.access_token)
        redaction.register(tokens.refresh_token)
        spent = self.refresh_token
        self.access_token, self.refresh_token = tokens.access_token, tokens.refresh_token
        self.user = tokens.user_context
        self.bulk_limit = tokens.api_capabilities.bulk_operation_max_devices
        self.refused = None
        self._renew_at = self._clock.monotonic() + tokens.expires_in - min(MARGIN, tokens.expires_in / 2)
        if self.store is not None:
            self.store.adopted(tokens, grant=grant, spent=spent)
        if self.adopted is not None:
            self.adopted(tokens)

    def carry(self, access_token: str, refresh_token: str = "") -> None:
        """Go on with tokens of an earlier process, whose end is not known."""
        redaction.register(access_token)
        redaction.register(refresh_token)
        self.access_token, self.refresh_token = access_token, refresh_token
        self._renew_at = float("inf")

    def resume(self, kept: KeptLogin) -> None:
        """Go on with the login that an earlier process kept."""
        self.access_token, self.refresh_token = kept.access_token, kept.refresh_token
        self.user, self.bulk_limit = kept.user, kept.bulk_limit
        left = (kept.expires_at - self._clock.now()) / NANOSECONDS
        self._renew_at = self._clock.monotonic() + left - min(MARGIN, max(0.0, left) / 2)

    @asynccontextmanager
    async def alone(self, ends: float, *, patience: float | None = None) -> AsyncIterator[None]:
        """Renew as the only one, in this process and beside others that keep the same login.

        What another process has renewed meanwhile is taken over.  After `patience` seconds of waiting for
        others it goes on beside them.
        """
        async with AsyncExitStack() as stack:
            with suppress(TimeoutError):  # of somebody with little patience
                async with asyncio.timeout(patience):
                    await stack.enter_async_context(self.renewing)
                    if self.store is not None:
                        await stack.enter_async_context(self.store.alone(ends))
            kept = None if self.store is None else self.store.load()
            if kept is not None and self.user is not None and kept.user.user_id == self.user.user_id:
                self.resume(kept)
            yield

    def over(self) -> None:
        """Be nobody, as the server has ended the session; nobody else need try its tokens."""
        if self.store is not None and self.refresh_token:
            self.store.ended(self.refresh_token)
        self.forget()

    def forget(self) -> None:
        """Be nobody."""
        self.access_token = self.refresh_token = ""
        self.user = None
        self._renew_at = float("inf")

    @property
    def logged_in(self) -> bool:
        """Whether there is a token."""
        return bool(self.access_token)

    @property
    def due(self) -> bool:
        """Whether the access token ends soon."""
        return bool(self.refresh_token) and self._clock.monotonic() >= self._renew_at

    def own_login(self) -> Login | None:
        """The login that the configuration holds, if any; one that was refused is not tried again.

        Repeating it would lock the account.
        """
        config = self._config
        if self.refused is not None:
            raise again(self.refused)
        if config.service_token:
            return login_of(grant="service_token", service_token=config.service_token)
        if config.username and config.password:
            return login_of(username=config.username, password=config.password)
        return None


def login_of(**fields: str | None) -> Login:
    """A login; what it holds is hidden from every log from now on."""
    from dsmilctl import __version__

    for name in ("password", "service_token", "mfa_token"):
        redaction.register(fields.get(name) or "")
    return msgspec.convert({"client_version": __version__, **fields}, Login)
