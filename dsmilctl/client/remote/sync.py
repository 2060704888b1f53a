"""SyncDSMILClient: the same client for programs without an event loop."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from typing import Any, Self, TypeVar

from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.errors import UsageError

T = TypeVar("T")


class SyncDSMILClient:
    """Every method of DSMILClient, waiting for its answer; streams are plain iterators.

    One thread with one event loop does the work; the client may be used from several threads.  Use it as a
    context manager, or close it.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._work(DSMILClient(*arguments, **settings))

    @classmethod
    def from_environment(cls, **settings: Any) -> Self:
        """A client as the `DSMIL_*` variables say."""
        made = cls.__new__(cls)
        made._work(DSMILClient.from_environment(**settings))
        return made

    def _work(self, client: DSMILClient) -> None:
        self._client = client
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="dsmil-client", daemon=True)
        self._thread.start()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._faced(getattr(self._client, name))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in dir(self._client) if not name.startswith("_"))})

    def _faced(self, found: Any) -> Any:
        if not callable(found) or inspect.isclass(found):
            return found

        @functools.wraps(found)
        def call(*arguments: Any, **options: Any) -> Any:
            return self._settled(found, arguments, options)

        return call

    def _settled(self, method: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        result = method(*arguments, **options)
        if inspect.iscoroutine(result):
            result = self._run(result)
        if inspect.isasyncgen(result):
            return self._iterate(result)
        if hasattr(result, "__aenter__") and not hasattr(result, "__enter__"):
            return _SyncFace(self, result)
        return result

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise UsageError("a callback of the client must not wait for the client", hint="use DSMILClient")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _iterate(self, stream: AsyncGenerator[T, Any]) -> Iterator[T]:
        try:
            while True:
                try:
                    yield self._run(_next(stream))
                except StopAsyncIteration:
                    return  # the stream is over
        finally:
            if self._thread.is_alive():
                self._run(stream.aclose())

    def close(self) -> None:
        """Close every connection and end the thread."""
        if not self._thread.is_alive():
            return
        try:
            self._run(self._client.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Sync{self._client!r}"


class _SyncFace:
    """A batch or a WebSocket, with methods that wait."""

    def __init__(self, client: SyncDSMILClient, inner: Any) -> None:
        self._client = client
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return self._client._faced(getattr(self._inner, name))

    def __enter__(self) -> Self:
        self._client._run(self._inner.__aenter__())
        return self

    def __exit__(self, *exception: Any) -> None:
        self._client._run(self._inner.__aexit__(*exception))


async def _next(stream: AsyncIterator[T]) -> T:
    return await anext(stream)
