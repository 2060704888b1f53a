"""Link: the client in a thread of its own, so that a slow driver never delays a key.

The thread opens the client, feeds the store from its stream and events, and when the conversation breaks it
counts down and opens again; it never gives up and never ends the dashboard.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from dsmilctl.client.interface import Client, ContextInfo
from dsmilctl.client.logins import logins_of
from dsmilctl.clock import Clock
from dsmilctl.errors import AuthenticationError, DSMILError, NetworkError, PermissionDenied
from dsmilctl.model.device import Device
from dsmilctl.model.emergency import Stop
from dsmilctl.model.identity import Identity
from dsmilctl.model.reading import Batch, Gap
from dsmilctl.tui.store import FleetStore

if TYPE_CHECKING:
    from dsmilctl.client.remote.results import AuthResult

LOGGER = logging.getLogger("dsmilctl.tui")
FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0
STOPS_EVERY = 1.0
FIRST_STATES, STATES_EVERY = 0.2, 10.0
T = TypeVar("T")


class LinkState(StrEnum):
    """How the conversation with the context is."""

    CONNECTING = "connecting"
    LIVE = "live"
    LOST = "lost"
    LOGIN = "login"


class NewLogin(Exception):
    """Somebody logged in while the conversation went on: it begins anew, as that person."""


class Link:
    """One context, opened.  Everything here is read by the screen and written by the link's own thread."""

    def __init__(
        self,
        open_client: Callable[[], Client],
        tell: Callable[[], None],
        clock: Clock,
        *,
        interval: float,
    ) -> None:
        self.state = LinkState.CONNECTING
        self.problem: DSMILError | None = None
        self.retry_at = 0.0
        self.interval = interval
        self.context: ContextInfo | None = None
        self.identity: Identity | None = None
        self.store: FleetStore | None = None
        self._open_client = open_client
        self._tell = tell
        self._clock = clock
        self._client: Client | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._logged_in: Client | None = None
        self._new_login: asyncio.Event | None = None
        self._stops_moved: asyncio.Event | None = None
        self._again: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dsmilctl-link", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, patience: float = 2.0) -> None:
        """End the conversation; a driver that hangs is left behind."""
        if self._ready.wait(patience) and self._loop is not None and self._ending is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended by itself
                self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(patience)

    def try_now(self) -> None:
        """Open again without waiting for the countdown."""
        if self._loop is not None and self._again is not None:
            self._loop.call_soon_threadsafe(self._again.set)

    @property
    def remote(self) -> bool:
        """Whether a server is behind the context, as far as is known."""
        return self.context is not None and self.context.kind == "remote"

    async def ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        """Put a question to the client in its own thread; raises DSMILError and nothing else."""
        client = self._client
        if client is None:
            problem = str(self.problem or "the context is not open yet")
            waiting = "the dashboard keeps trying; ctrl+r tries now"
            raise NetworkError(problem, hint="L logs in" if self.state is LinkState.LOGIN else waiting)
        return await self._in_thread(question(client))

    async def log_in(self, user: str, password: str, code: str = "") -> AuthResult:
        """Log in to the server; once that went well the context is opened as that user.

        A refusal is a result.  Raises UsageError for a context on this machine, and NetworkError.
        """
        return await self._in_thread(self._try_login(user, password, code))

    async def _try_login(self, user: str, password: str, code: str) -> AuthResult:
        client = self._open_client()
        try:
            logins = logins_of(client)
            if code:
                result = await logins.authenticate_mfa(user, password, code, "cli")
            else:
                result = await logins.authenticate(user, password, "cli")
        except BaseException:
            await client.close()
            raise
        if not result.success:
            await client.close()
            return result
        self._logged_in = client
        if self._new_login is not None and self._again is not None:
            self._new_login.set()
            self._again.set()
        return result

    async def _in_thread(self, question: Awaitable[T]) -> T:
        loop = self._loop
        if loop is None:
            raise NetworkError("the context is not open yet", hint="the dashboard keeps trying")

        async def put() -> T:
            return await question

        try:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(put(), loop))
        except DSMILError:
            raise
        except Exception as error:  # whatever a driver raised, the screen has one way to say it
            LOGGER.exception("a question to the context failed")
            raise DSMILError(f"{type(error).__name__}: {error}", hint="the log has the traceback") from error

    def note_stop(self, stop: Stop) -> None:
        """A stop that this process pulled is in force; may be called from any thread."""
        if self.store is not None:
            self.store.add_stop(stop)
        self.look_at_stops()

    def look_at_stops(self) -> None:
        """Ask for the stops in force now and not in a second; may be called from any thread."""
        if self._loop is not None and self._stops_moved is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended by itself
                self._loop.call_soon_threadsafe(self._stops_moved.set)

    def follow(
        self, device: Device, registers: Sequence[str], interval: float, take: Callable[[Batch], None]
    ) -> Callable[[], None]:
        """Call `take` in the link's thread with every batch of one device; what comes back ends it.

        Outlives a broken conversation: it goes on when the context is open again.
        """
        loop = self._loop
        if loop is None:
            return lambda: None
        following = asyncio.run_coroutine_threadsafe(self._follow(device, registers, interval, take), loop)

        def end() -> None:
            following.cancel()

        return end

    async def _follow(
        self, device: Device, registers: Sequence[str], interval: float, take: Callable[[Batch], None]
    ) -> None:
        while True:
            client = self._client
            try:
                if client is not None:
                    async for item in client.stream([device], registers, interval=interval):
                        if isinstance(item, Batch):
                            take(item)
            except (DSMILError, OSError) as error:
                LOGGER.info("%s: %s", device.shown_id, error)
            await asyncio.sleep(FIRST_DELAY)

    def _run(self) -> None:
        asyncio.run(self._live())

    async def _live(self) -> None:
        self._ending, self._again, self._new_login = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._stops_moved = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        work = asyncio.create_task(self._keep_open())
        await self._ending.wait()
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work

    async def _keep_open(self) -> None:
        delay = FIRST_DELAY
        while True:
            begun = self._clock.monotonic()
            try:
                async with self._next_client() as client:
                    self.context = client.context
                    await self._converse(client)
            except* NewLogin:
                self.problem = None
            except* (DSMILError, OSError) as group:
                self.problem = _first(group)
            except* Exception as group:  # a fault of a driver or of ours must not end the dashboard
                LOGGER.exception("the conversation with the context broke")
                self.problem = _first(group)
            finally:
                self._client = None
            if self._logged_in is not None:
                delay = FIRST_DELAY
                continue
            if isinstance(self.problem, AuthenticationError):
                await self._wait_for_login()
                continue
            delay = FIRST_DELAY if self._clock.monotonic() - begun > LONGEST_DELAY else delay
            await self._count_down(delay)
            delay = min(LONGEST_DELAY, delay * 2)

    def _next_client(self) -> Client:
        """The client that somebody has just logged in with, or a new one."""
        client, self._logged_in = self._logged_in, None
        self.state = LinkState.CONNECTING
        return client or self._open_client()

    async def _wait_for_login(self) -> None:
        """Ask nothing of a server that does not know who asks: repeating it would lock the account."""
        assert self._again is not None
        self.state = LinkState.LOGIN
        self._again.clear()
        self._tell()
        await self._again.wait()
        self._tell()

    async def _count_down(self, delay: float) -> None:
        assert self._again is not None
        self.state = LinkState.LOST
        self.retry_at = self._clock.monotonic() + delay
        self._again.clear()
        self._tell()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._again.wait(), delay)
        self.state = LinkState.CONNECTING
        self._tell()

    async def _converse(self, client: Client) -> None:
        assert self._new_login is not None
        self._new_login.clear()
        devices = await client.devices(quarantined=True)
        statuses = await client.statuses(devices)
        store = FleetStore(devices, statuses, self._clock)
        store.take_stops(await client.stops())
        self.identity, self.store = client.identity, store
        self._client = client
        self.state, self.problem = LinkState.LIVE, None
        _settle_memory()
        self._tell()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_readings(client, store))
            tasks.create_task(self._follow_events(client, store))
            tasks.create_task(self._follow_stops(client, store))
            tasks.create_task(self._follow_states(client, store))
            tasks.create_task(self._follow_login(self._new_login))

    async def _follow_login(self, new_login: asyncio.Event) -> None:
        await new_login.wait()
        raise NewLogin

    async def _follow_readings(self, client: Client, store: FleetStore) -> None:
        polled = [device for device, keys in zip(store.devices, store.keys, strict=True) if keys]
        polled = [device for device in polled if not device.quarantined]
        if not polled:
            return
        names = list(dict.fromkeys(register.name for keys in store.keys for register in keys))
        async for item in client.stream(polled, names, interval=self.interval, changes_only=True):
            if isinstance(item, Gap):
                store.gaps += 1
                store.missed += item.missed
                continue
            before = store.failing
            store.take(item)
            if moved := store.changed_failures(before):
                store.take_statuses(await client.statuses(moved))
            self._tell()
        raise NetworkError("the stream of readings ended", hint="the dashboard opens it again by itself")

    async def _follow_events(self, client: Client, store: FleetStore) -> None:
        try:
            await self._take_events(client, store)
        except PermissionDenied as error:
            LOGGER.info("no events for this user: %s", error)  # what they would tell is found by asking

    async def _take_events(self, client: Client, store: FleetStore) -> None:
        async for item in client.events():
            if isinstance(item, Gap):
                store.take_statuses(await client.statuses(store.devices))
                continue
            row = None if item.device_id is None else store.row_of.get(item.device_id)
            if row is not None:
                store.take_statuses(await client.statuses([store.devices[row]]))

    async def _follow_stops(self, client: Client, store: FleetStore) -> None:
        assert self._stops_moved is not None
        while True:
            self._stops_moved.clear()
            if store.take_stops(await client.stops()):
                self._tell()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stops_moved.wait(), STOPS_EVERY)

    async def _follow_states(self, client: Client, store: FleetStore) -> None:
        """Events tell what moves; this finds what nobody told."""
        while True:
            await asyncio.sleep(STATES_EVERY if store.reached_at is not None else FIRST_STATES)
            store.take_statuses(await client.statuses(store.devices))


def _first(group: BaseExceptionGroup[BaseException]) -> DSMILError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, DSMILError):
        return error
    return NetworkError(f"{type(error).__name__}: {error}")


def _settle_memory() -> None:
    """A large fleet stays as it is: the collector need not walk it again while somebody types."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
