"""Connected: what every part of the client shares: configuration, calls, bulks, cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from dsmilctl.client.interface import ContextInfo
from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.batching import Batching
from dsmilctl.client.remote.bulk import Bulks
from dsmilctl.client.remote.cache import Cache
from dsmilctl.client.remote.config import ClientConfig, config_of
from dsmilctl.client.remote.exchange import Transport
from dsmilctl.client.remote.http import HttpTransport
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.errors import ConfigError
from dsmilctl.wire.auth import Tokens

if TYPE_CHECKING:
    from dsmilctl.client.remote.keeping import LoginStore


class Connected:
    """One client of one server.  Nothing is sent before the first call.

    Give a `base_url`, a whole `config`, or settings of ClientConfig; an unknown one raises ConfigError.
    """

    context: ContextInfo

    def __init__(
        self,
        base_url: str | None = None,
        *,
        config: ClientConfig | None = None,
        transport: Transport | None = None,
        clock: Clock = SYSTEM,
        **settings: Any,
    ) -> None:
        if base_url is not None:
            settings["base_url"] = base_url
        if config is not None and settings:
            given = ", ".join(settings)
            raise ConfigError(f"give a config or single settings, not both ({given})", target="config")
        self.config = config or config_of(settings)
        self.clock = clock
        self.transport: Transport = transport or HttpTransport(self.config)
        spoken = self.transport
        if self.config.api_version == "1.0":
            from dsmilctl.client.remote.dialect import OldDialect

            spoken = OldDialect(self.transport)
        self._api = Api(self.config, spoken, clock)
        self._bulks = Bulks(self._api)
        self._batching = Batching(self._api, self._bulks)
        self._cache = Cache(clock, ttl=self.config.cache_ttl, size=self.config.cache_size)
        self._gaps = 0

    @classmethod
    def from_environment(cls, **settings: Any) -> Self:
        """A client as the `DSMIL_*` variables say; arguments win."""
        return cls(config=ClientConfig.from_environment(**settings))

    def carry_tokens(
        self,
        access_token: str,
        refresh_token: str = "",
        *,
        renewed: Callable[[Tokens], None] | None = None,
    ) -> None:
        """Go on with the tokens of an earlier process; `renewed` is told every new pair, to keep it."""
        self._api.session.carry(access_token, refresh_token)
        self._api.session.adopted = renewed

    def remember(self, store: LoginStore, login_hint: str) -> None:
        """Go on with the login in a store, and keep it there; `login_hint` tells how to log in."""
        self._api.session.store = store
        self._api.session.login_hint = login_hint
        if (kept := store.load()) is not None:
            self._api.session.resume(kept)

    async def close(self) -> None:
        """Close every connection; tokens are forgotten."""
        await self._batching.close()
        await self.transport.close()
        self._api.session.forget()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.config.base_url!r}, api_version={self.config.api_version!r})"
