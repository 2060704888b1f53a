"""Api: one call to the server: who asks, how often it is tried, how long it may take, what became of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from dsmilctl.client.remote.breaker import CircuitBreaker, CircuitBreakerConfig
from dsmilctl.client.remote.config import ClientConfig
from dsmilctl.client.remote.exchange import Incoming, Outgoing, Transport
from dsmilctl.client.remote.failures import bad_body, error_in
from dsmilctl.client.remote.logs import Logs
from dsmilctl.client.remote.metrics import Metrics
from dsmilctl.client.remote.retry import RetryPolicy
from dsmilctl.client.remote.session import Session
from dsmilctl.clock import Clock
from dsmilctl.errors import AuthenticationError, DSMILError, NetworkError, OperationTimeout, TokenExpired
from dsmilctl.model.device import DeviceId
from dsmilctl.wire.auth import Login, Refresh, Tokens

T = TypeVar("T")
PREFIX = "/api/v2"
MOMENT = 1.0
"""Seconds that an urgent renewal waits for somebody else who renews the same login."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One call: where, with what, and how it may be treated.

    `key` makes a POST safe to repeat; `login` sends the token; an `urgent` call passes an open circuit, and
    goes with the token there is: only one that the server calls expired is renewed first;
    `deadline` is the whole time in seconds, repetitions included; `device_id` is what errors speak of.
    """

    method: str
    path: str
    content: bytes = b""
    key: str = ""
    login: bool = True
    urgent: bool = False
    repeatable: bool = True
    deadline: float
    device_id: DeviceId | None = None


class Api:
    """Calls of one client."""

    def __init__(self, config: ClientConfig, transport: Transport, clock: Clock) -> None:
        self.config = config
        self.transport = transport
        self.clock = clock
        self.session = Session(config, clock)
        self.retry = RetryPolicy(max_attempts=config.max_retries + 1)
        self.breaker = CircuitBreaker(CircuitBreakerConfig(failure_threshold=10), clock)
        self.metrics = Metrics(clock)
        self.logs = Logs()
        self.own_context = ""
        self.error_handler: Callable[[DSMILError], Any] | None = None
        self.prefix = PREFIX
        self.old = config.api_version == "1.0"

    async def get(self, path: str, kind: type[T], query: Mapping[str, Any] | None = None, **how: Any) -> T:
        """What is there; raises the typed error."""
        return await self.call("GET", path + encoded(query or {}), kind, None, **how)

    async def post(self, path: str, kind: type[T], body: Any, **how: Any) -> T:
        """Have something done, once, however often the request has to be repeated; raises the typed error."""
        return await self.call("POST", path, kind, body, **how)

    async def call(self, method: str, path: str, kind: type[T], body: Any, **how: Any) -> T:
        """One call and its answer as a `kind`; raises the typed error, which the handler sees first."""
        deadline = how.pop("deadline", None) or self.config.timeout
        ask = Ask(
            method=method,
            path=self.prefix + path,
            content=b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body),
            key=os.urandom(16).hex() if method == "POST" else "",
            deadline=deadline,
            **how,
        )
        begun, failed = self.clock.monotonic(), True
        try:
            answer = await self.ask(ask)
            found = decoded(answer, kind)
            failed = False
            return found
        except DSMILError as error:
            self.report(error)
            raise
        finally:
            self.metrics.done(self.clock.monotonic() - begun, failed=failed)

    def report(self, error: DSMILError) -> None:
        """Show an error to the handler before anybody else sees it."""
        if error.code in ("AUTHENTICATION_FAILED", "TOKEN_EXPIRED") and self.session.store is not None:
            error.hint = self.session.login_hint
        else:
            error.hint = self.own_words(error.hint)
        if error.code in ("PERMISSION_DENIED", "DEVICE_QUARANTINED", "APPROVAL_REQUIRED"):
            user = self.session.user.username if self.session.user else ""
            about = getattr(error, "device_id", None)
            self.logs.secured("refused", user=user, error_code=error.code, device_id=about, outcome="DENIED")
        if self.error_handler is not None:
            self.error_handler(error)

    def own_words(self, hint: str) -> str:
        """A hint of the server with the context's name here in place of its name there."""
        if not self.own_context or "dsmilctl -C " not in hint:
            return hint
        import re

        return re.sub(r"\bdsmilctl -C \S+", f"dsmilctl -C {self.own_context}", hint)

    async def ask(self, ask: Ask) -> Incoming:
        """The answer to a call, after as many tries as its time and the policy allow."""
        ends = self.clock.monotonic() + ask.deadline
        attempt, sent = 1, False
        while True:
            try:
                return await self._authorised(ask, ends, attempt)
            except DSMILError as error:
                if isinstance(error, NetworkError):
                    sent = sent or not error.unsent
                    error.unsent = not sent  # an attempt before this one may have arrived
                pause = self.retry.wait(error, attempt) if ask.repeatable else None
                if pause is None or self.clock.monotonic() + pause >= ends:
                    raise
            self.metrics.retries += 1
            attempt += 1
            await asyncio.sleep(pause)

    async def _authorised(self, ask: Ask, ends: float, attempt: int) -> Incoming:
        """One try; a token that has run out is renewed once and the request repeated once."""
        if not ask.login:
            return await self._once(ask, ends, attempt, "")
        token = await self.token(ends, urgent=ask.urgent)
        try:
            return await self._once(ask, ends, attempt, token)
        except TokenExpired:
            await self.renew(token, ends, urgent=ask.urgent)
            return await self._once(ask, ends, attempt, self.session.access_token)

    async def token(self, ends: float | None = None, *, urgent: bool = False) -> str:
        """The access token: renewed when it is about to end, or had with the configured login.

        An urgent call does not wait for a renewal of what is still good.
        """
        until = self.clock.monotonic() + self.config.timeout if ends is None else ends
        session = self.session
        if not session.logged_in:
            async with session.renewing:
                if not session.logged_in and (login := session.own_login()) is not None:
                    await self.log_in(login, until, urgent=urgent)
            if not session.logged_in and session.store is not None:
                raise AuthenticationError(f"not logged in to {self.config.base_url}", hint=session.login_hint)
        elif session.due and not urgent:
            await self.renew(session.access_token, until)
        return session.access_token

    async def renew(self, spent: str, ends: float, *, urgent: bool = False) -> None:
        """Have a new pair of tokens instead of `spent`; whoever comes second finds it done.

        An urgent renewal passes an open circuit, and does not wait long for others that renew.
        """
        session = self.session
        async with session.alone(ends, patience=MOMENT if urgent else None):
            if session.access_token != spent:
                return
            if not session.refresh_token:
                session.forget()
                if (login := session.own_login()) is None:
                    raise TokenExpired("the login is over", hint=session.login_hint)
                await self.log_in(login, ends, urgent=urgent)
                return
            try:
                body = msgspec.json.encode(Refresh(refresh_token=session.refresh_token))
                session.adopt(await self._tokens("/auth/refresh", body, ends, urgent=urgent))
                self.logs.secured(
                    "refresh", user=session.user.username if session.user else "", outcome="SUCCESS"
                )
            except AuthenticationError as error:
                session.over()
                if (login := session.own_login()) is None:
                    error.hint = session.login_hint
                    raise
                await self.log_in(login, ends, urgent=urgent)

    async def log_in(self, login: Login, ends: float | None = None, *, urgent: bool = False) -> Tokens:
        """Log in and go on as that user; raises what the server says."""
        until = self.clock.monotonic() + self.config.timeout if ends is None else ends
        try:
            tokens = await self._tokens("/auth/login", msgspec.json.encode(login), until, urgent=urgent)
        except AuthenticationError as error:
            self.session.refused = error
            self.logs.secured("login_failed", user=login.username, error_code=error.code, outcome="DENIED")
            raise
        self.session.adopt(tokens, login.grant)
        self.logs.secured("login", user=tokens.user_context.username, outcome="SUCCESS")
        return tokens

    async def _tokens(self, path: str, content: bytes, ends: float, *, urgent: bool) -> Tokens:
        ask = Ask(
            method="POST",
            path=self.prefix + path,
            content=content,
            key=os.urandom(16).hex(),
            login=False,
            urgent=urgent,
            deadline=max(0.001, ends - self.clock.monotonic()),
        )
        return decoded(await self.ask(ask), Tokens)

    async def _once(self, ask: Ask, ends: float, attempt: int, token: str) -> Incoming:
        left = ends - self.clock.monotonic()
        if left <= 0:
            raise OperationTimeout(f"no answer within {ask.deadline:.3g} s")
        if not ask.urgent:
            self.breaker.enter()
        error: BaseException | None = None
        try:
            return await self._travel(ask, left, attempt, token)
        except BaseException as problem:
            error = problem
            raise
        finally:
            if not ask.urgent:
                self.breaker.leave(error)

    async def _travel(self, ask: Ask, left: float, attempt: int, token: str) -> Incoming:
        headers = headers_of(ask, token)
        self.logs.request(ask.method, ask.path, ask.content)
        begun, status, code = self.clock.monotonic(), 0, ""
        self.metrics.requests += 1
        try:
            request = Outgoing(method=ask.method, path=ask.path, headers=headers, content=ask.content)
            answer = await self.transport.send(request, deadline=left)
            status = answer.status
            self.logs.answer(
                ask.method, ask.path, status, answer.content, (self.clock.monotonic() - begun) * 1000
            )
            if (error := error_in(answer, ask.device_id)) is not None:
                raise error
            return answer
        except DSMILError as error:
            code = error.code
            raise
        finally:
            seconds = self.clock.monotonic() - begun
            self.metrics.network_seconds += seconds
            self.logs.performed(
                method=ask.method,
                path=ask.path.partition("?")[0],
                status=status,
                attempts=attempt,
                duration_ms=round(seconds * 1000, 3),
                network_ms=round(seconds * 1000, 3),
                error_code=code,
            )


def headers_of(ask: Ask, token: str) -> dict[str, str]:
    """The headers of a request."""
    headers = {"Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if ask.content:
        headers["Content-Type"] = "application/json"
    if ask.key:
        headers["Idempotency-Key"] = ask.key
    return headers


def decoded(answer: Incoming, kind: type[T]) -> T:
    """The body as a value of `kind`; raises ProtocolError for one that is none."""
    if kind is type(None) and not answer.content:
        return kind()
    if kind is str:
        return kind(answer.content.decode("utf-8", "replace"))  # type: ignore[call-arg] # kind is str here
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise bad_body(answer, str(error) if answer.content else "it is empty") from None


def encoded(query: Mapping[str, Any]) -> str:
    """A query without what is not given, truths in small letters; an empty one is nothing."""
    given = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in query.items()
        if value is not None and value != ""
    }
    return f"?{urlencode(given)}" if given else ""
