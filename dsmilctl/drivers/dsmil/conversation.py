"""Conversation: the one session with the other server, and the only door of this driver to the network.

The calls, their deadlines and the WebSocket are those of the remote client (docs/decisions/0009); this adds
that a session which the other side ended, by a restart for instance, is begun anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.breaker import CircuitBreaker, CircuitBreakerConfig
from dsmilctl.client.remote.config import ClientConfig
from dsmilctl.client.remote.failures import again
from dsmilctl.client.remote.http import HttpTransport
from dsmilctl.client.remote.retry import RetryPolicy
from dsmilctl.client.remote.session import login_of
from dsmilctl.drivers.contract import DriverContext
from dsmilctl.drivers.dsmil.options import DsmilOptions
from dsmilctl.errors import AccountLocked, AuthenticationError, ConfigError, DeviceError, DSMILError
from dsmilctl.model.device import Device

T = TypeVar("T")

LOGIN_PAUSE = 900.0
"""Seconds after which a login that was refused is tried again: seldom enough never to lock an account."""

BEGINNING = 10.0
"""Seconds that a login or the list of devices may take, however little time a read has."""

RECOVERY = 2.0
"""Seconds that a server which failed ten times in a row is left alone; backoff is the lifecycle's."""


class Conversation:
    """One session with one server, begun when it is first needed."""

    def __init__(self, options: DsmilOptions, context: DriverContext) -> None:
        self.options = options
        self._context = context
        self._api: Api | None = None
        self._refused_at = 0.0
        self._beginning: asyncio.Task[None] | None = None

    async def call(self, ask: Callable[[Api], Awaitable[T]], *, urgent: bool = False) -> T:
        """What the server answers; an ended session logs in anew and asks once more.

        What is `urgent` waits for no renewal of a token that is still good.
        Raises the typed error; a refused login is not repeated, for that would lock the account.
        """
        api = await self.ready(urgent=urgent)
        token = api.session.access_token
        try:
            return await ask(api)
        except AuthenticationError:
            if api.session.refused is not None:
                raise
            if api.session.access_token == token:
                api.session.forget()
        return await ask(await self.ready(urgent=urgent))

    async def ready(self, *, urgent: bool = False) -> Api:
        """The calls, logged in; raises AuthenticationError, ConfigError, NetworkError or OperationTimeout."""
        api = self._made()
        if api.session.logged_in:
            await api.token(urgent=urgent)  # which may be due to be renewed
            return api
        if self._beginning is None:
            self._beginning = asyncio.get_running_loop().create_task(self._begin(api))
            self._beginning.add_done_callback(self._begun)
        try:
            await asyncio.shield(self._beginning)  # a login goes on without who waited for it
        except DSMILError as error:
            raise again(error) from None
        return api

    def _begun(self, task: asyncio.Task[None]) -> None:
        self._beginning = None
        if not task.cancelled():
            task.exception()  # whoever waited may be gone; without this asyncio would complain

    async def _begin(self, api: Api) -> None:
        """Log in, unless that was refused a short while ago."""
        session, clock = api.session, self._context.clock
        if session.refused is not None:
            if clock.monotonic() < self._refused_at + self._pause(session.refused):
                raise again(session.refused)
            session.refused = None
        try:
            if self.options.certificate:
                await api.log_in(login_of(grant="certificate"))
            else:
                await api.token()
        finally:
            if session.refused is not None:
                self._refused_at = clock.monotonic()

    @staticmethod
    def _pause(refusal: AuthenticationError) -> float:
        return refusal.retry_after if isinstance(refusal, AccountLocked) else LOGIN_PAUSE

    def _made(self) -> Api:
        if self._api is None:
            config = self._config()
            api = Api(config, HttpTransport(config), self._context.clock)
            api.retry = RetryPolicy(max_attempts=2, base_delay=0.05, max_delay=0.2)
            breaking = CircuitBreakerConfig(failure_threshold=10, recovery_timeout=RECOVERY)
            api.breaker = CircuitBreaker(breaking, self._context.clock)
            self._api = api
        return self._api

    def _config(self) -> ClientConfig:
        options = self.options
        secret = self._context.secret(options.secret) if options.secret else None
        if options.secret and secret is None:
            hint = "secret: the name of a kept secret, env:VARIABLE or file:PATH"
            raise ConfigError(f"{options.server}: no secret {options.secret!r}", hint=hint, target="secret")
        if not (options.secret or options.certificate):
            hint = "username and secret, secret alone for a service account, or certificate"
            raise ConfigError(f"{options.server}: no account is given", hint=hint, target="username")
        by_password = options.username and not options.certificate
        return ClientConfig(
            base_url=options.url,
            timeout=max(BEGINNING, options.timeout),
            ca_path=options.ca or None,
            username=options.username,
            password=(secret or "") if by_password else "",
            service_token="" if by_password or options.certificate else secret or "",
            client_cert_path=options.certificate or None,
            client_cert_password=secret if options.certificate else None,
            max_connections=8,
        )

    async def close(self) -> None:
        """Close every connection and be nobody."""
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.wait([self._beginning])
        if self._api is not None:
            await self._api.transport.close()
            self._api.session.forget()

    def as_ours(self, error: DSMILError, device: Device) -> DSMILError:
        """An error of the other server as one about our device; its code stays, and who said it is told."""
        ours = again(error)
        if self.options.server not in error.message:
            ours.message = f"{self.options.server}: {error.message}"
            ours.args = (ours.message,)
            ours.hint = f"on {self.options.server}: {error.hint}" if error.hint else ""
        ours.target = device.shown_id
        if isinstance(ours, DeviceError):
            ours.device_id = device.device_id
        return ours
