"""Link: one WebSocket to the server, opened again whenever it breaks, with its subscriptions."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from dsmilctl import __version__
from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.dialect import OLD
from dsmilctl.client.remote.failures import BadAnswer
from dsmilctl.client.remote.http import HttpTransport
from dsmilctl.client.remote.old_socket import OldSocket, Socket
from dsmilctl.client.remote.tls import tls_context
from dsmilctl.errors import (
    AuthenticationError,
    DSMILError,
    NetworkError,
    PermissionDenied,
    ProtocolError,
    error_of,
)
from dsmilctl.model.reading import Gap
from dsmilctl.wire.messages import (
    CLOSE_FORBIDDEN,
    CLOSE_UNAUTHENTICATED,
    Heartbeat,
    Message,
    Subscribe,
    Unsubscribe,
)

LOGGER = logging.getLogger("dsmilctl.client")
OLD_UNAUTHENTICATED = 1008
"""How version 1.0 closes a WebSocket without a token."""
OPENING = 10.0
ANSWERING = 10.0
PING = 7.5
HEARTBEAT = 15.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


class Heard(msgspec.Struct, frozen=True, gc=False):
    """One message of the server; `data` is not decoded yet."""

    type: str
    id: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")
    timestamp: str = ""
    seq: int | None = None


DECODER = msgspec.json.Decoder(Heard)
Listener = Callable[[Heard | Gap], None]
Ended = Callable[[DSMILError | None], None]


class Link:
    """A WebSocket that goes on: it renews its token, comes back after it broke and subscribes again.

    `listener` is told every message, and a Gap for each hole in the sequence and for the time that it was
    away; `ended` is told when it is over for good.  Neither may wait.
    """

    def __init__(self, api: Api, listener: Listener, ended: Ended) -> None:
        self._api = api
        self._listener = listener
        self._ended = ended
        self._socket: Socket | None = None
        self._running: asyncio.Task[None] | None = None
        self._wanted: dict[str, Subscribe] = {}
        self._ids: dict[str, str] = {}
        self._answers: dict[str, asyncio.Future[msgspec.Raw]] = {}
        self._sequence: int | None = None
        self._token = ""
        self._heartbeat = HEARTBEAT
        self.reconnects = 0

    @property
    def connected(self) -> bool:
        """Whether the WebSocket is open now."""
        return self._socket is not None

    async def open(self) -> None:
        """Connect; raises NetworkError, AuthenticationError, PermissionDenied or ProtocolError."""
        if self._running is None:
            self._socket = await self._connect()
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def subscribe(self, wanted: Subscribe) -> str:
        """A name for the subscription, which stays the same over reconnections; raises its refusal."""
        name = f"sub-{os.urandom(4).hex()}"
        await self._subscribe(name, wanted)
        self._wanted[name] = wanted
        return name

    async def unsubscribe(self, name: str) -> None:
        """End a subscription."""
        self._wanted.pop(name, None)
        served = self._ids.pop(name, "")
        if served and self._socket is not None:
            await self._ask("UNSUBSCRIBE", Unsubscribe(subscription_id=served))

    def name_of(self, subscription_id: str) -> str:
        """The name of the server's subscription; an empty text for one that is not known."""
        return next((name for name, served in self._ids.items() if served == subscription_id), "")

    async def close(self) -> None:
        """End it."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
            self._running = None

    async def wait(self) -> None:
        """Until it is over."""
        if self._running is not None:
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        try:
            while True:
                beating = asyncio.get_running_loop().create_task(self._beat())
                try:
                    heard_something = await self._hear()
                finally:
                    beating.cancel()
                    await asyncio.wait([beating])
                await self._come_back(heard_something)
        except DSMILError as error:
            self._ended(error)
        except asyncio.CancelledError:
            self._ended(None)
            raise
        finally:
            await self._drop()

    async def _drop(self) -> None:
        socket, self._socket = self._socket, None
        self._break_answers(NetworkError("the connection to the server broke"))
        if socket is not None:
            await socket.close()

    def _break_answers(self, error: DSMILError) -> None:
        for future in self._answers.values():
            if not future.done():
                future.set_exception(error)
                future.exception()  # whoever waits hears it; the one who asked may be gone already
        self._answers.clear()

    async def _hear(self) -> bool:
        """Hear messages until the connection ends; raises what makes coming back pointless."""
        from websockets.exceptions import ConnectionClosed

        assert self._socket is not None, "hearing begins after connecting"
        self._sequence = None
        heard = False
        try:
            while True:
                self._take(await self._socket.recv(decode=False))
                heard = True
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            reason = closed.rcvd.reason if closed.rcvd else ""
            LOGGER.info("the WebSocket closed (%d %s)", code, reason)
            error = _closing(code, reason)
            self._break_answers(error or NetworkError("the connection to the server broke"))
            if isinstance(error, PermissionDenied):
                raise error from None
            if error is not None and not heard and not self._api.session.refresh_token:
                raise error from None
            if error is not None:
                await self._api.renew(self._token, self._api.clock.monotonic() + OPENING)
            return heard

    def _take(self, content: bytes) -> None:
        try:
            heard = DECODER.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise ProtocolError("a message of the server cannot be understood") from None
        if heard.seq is not None:
            if self._sequence is not None and heard.seq > self._sequence + 1:
                self._listener(Gap(heard.seq - self._sequence - 1))
            self._sequence = heard.seq
        waiting = self._answers.pop(heard.id, None)
        if waiting is not None and not waiting.done():
            self._answer(waiting, heard)
        elif heard.type == "GAP":
            self._listener(Gap(int(msgspec.json.decode(heard.data).get("missed", 1))))
        else:
            self._listener(heard)

    def _answer(self, waiting: asyncio.Future[msgspec.Raw], heard: Heard) -> None:
        if heard.type == "SUBSCRIPTION_CONFIRMED":
            # at once, not when the asker wakes: the next message may belong to the subscription already
            self._ids[heard.id] = str(msgspec.json.decode(heard.data).get("subscription_id", ""))
        if heard.type == "ERROR":
            told = msgspec.json.decode(heard.data)
            details = told.get("details") or {}
            hint = str(details.get("hint", ""))
            waiting.set_exception(
                error_of(str(told.get("code", "")), str(told.get("message", "")), hint=hint)
            )
        else:
            waiting.set_result(heard.data)

    async def _come_back(self, heard: bool) -> None:
        """Connect again after a pause that grows, at random within that, so that a crowd comes spread out."""
        gone = self._api.clock.monotonic()
        await self._drop()
        attempt = 0 if heard else 1
        while True:
            most = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt, 10))
            await asyncio.sleep(random.uniform(0, most))
            attempt += 1
            try:
                self._socket = await self._connect()
                break
            except (NetworkError, BadAnswer) as error:
                LOGGER.info("no WebSocket yet: %s", error)
        self.reconnects += 1
        away = self._api.clock.monotonic() - gone
        ticks = sum(max(1, int(away * 1000 / item.interval_ms)) for item in self._wanted.values())
        self._listener(Gap(max(1, ticks)))
        again = asyncio.get_running_loop().create_task(self._subscribe_all())
        again.add_done_callback(_noted)

    async def _subscribe_all(self) -> None:
        self._ids.clear()
        for name, wanted in tuple(self._wanted.items()):
            await self._subscribe(name, wanted)

    async def _subscribe(self, name: str, wanted: Subscribe) -> None:
        self._ids.pop(name, None)
        await self._ask("SUBSCRIBE_ADVANCED", wanted, name)

    async def _ask(self, kind: str, data: Any, name: str = "") -> msgspec.Raw:
        """Send a message and wait for its answer; raises the error that it carries."""
        message_id = name or os.urandom(6).hex()
        future: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._answers[message_id] = future
        try:
            await self._send(
                Message(type=kind, id=message_id, data=msgspec.to_builtins(data), source="client")
            )
            async with asyncio.timeout(ANSWERING):
                return await future
        except TimeoutError:
            raise NetworkError(f"the server does not answer {kind}") from None
        finally:
            self._answers.pop(message_id, None)

    async def _send(self, message: Message) -> None:
        from websockets.exceptions import ConnectionClosed

        if self._socket is None:
            raise NetworkError("the connection to the server is broken")
        try:
            await self._socket.send(msgspec.json.encode(message).decode())
        except ConnectionClosed:
            raise NetworkError("the connection to the server broke") from None

    async def _beat(self) -> None:
        """Tell the server that one is there; it tells how long it would wait."""
        while True:
            try:
                beat = Heartbeat(client_type="python", client_version=__version__)
                answer = msgspec.json.decode(await self._ask("CLIENT_HEARTBEAT", beat))
                self._heartbeat = min(HEARTBEAT, float(answer.get("timeout_s") or HEARTBEAT) / 3)
            except DSMILError as error:
                LOGGER.debug("heartbeat: %s", error)
            await asyncio.sleep(self._heartbeat)

    def _address(self, place: str, *, secure: bool) -> tuple[str, str]:
        """The WebSocket's URL and query.  Version 1.0 takes the token in the query alone."""
        scheme = "wss" if secure else "ws"
        if self._api.old:
            return f"{scheme}://{place}{OLD}/ws", urlencode({"token": self._token})
        return f"{scheme}://{place}{self._api.prefix}/ws", "client_type=python"

    async def _connect(self) -> Socket:
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidHandshake, InvalidStatus

        config = self._api.config
        self._token = await self._api.token()
        parts = urlsplit(config.base_url)
        secure = parts.scheme == "https"
        transport = self._api.transport
        certificate = transport.certificate if isinstance(transport, HttpTransport) else None
        url, query = self._address(parts.netloc + parts.path.rstrip("/"), secure=secure)
        try:
            socket = await connect(
                f"{url}?{query}",
                additional_headers={"Authorization": f"Bearer {self._token}"} if self._token else None,
                user_agent_header=config.user_agent,
                ssl=tls_context(config, certificate) if secure else None,
                compression=None,
                proxy=None,
                max_size=config.max_response_bytes,
                open_timeout=OPENING,
                close_timeout=1.0,
                ping_interval=PING,
                ping_timeout=PING,
            )
            return OldSocket(socket) if self._api.old else socket
        except InvalidStatus as error:
            status = error.response.status_code
            if status in (401, 403):
                raise AuthenticationError(f"the server refuses the WebSocket (HTTP {status})") from None
            message = f"no WebSocket at {url} (HTTP {status})"
            raise BadAnswer(message, status=status) from None
        except InvalidHandshake as error:
            raise BadAnswer(f"no WebSocket at {url}: {error}", status=0) from None
        except (OSError, TimeoutError) as error:
            what = str(error) or type(error).__name__
            raise NetworkError(f"{config.base_url}: {what}", target=config.base_url) from None


def _closing(code: int, reason: str) -> DSMILError | None:
    """The error that a close code means; None for one after which one may come back as one is."""
    if code in (CLOSE_UNAUTHENTICATED, OLD_UNAUTHENTICATED):
        return AuthenticationError(reason or "the login is over", hint="log in again")
    if code == CLOSE_FORBIDDEN:
        return PermissionDenied(reason or "not allowed")
    return None


def _noted(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        LOGGER.warning("subscribing again failed: %s", error)
