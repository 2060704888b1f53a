"""Prompt: a deadline that costs nothing where the answer is there at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


async def within(deadline: float, call: Awaitable[T]) -> T:
    """What a call gives; raises TimeoutError when it takes longer than `deadline` seconds.

    A coroutine is begun here and now, and the deadline set up only if it has to wait for something.
    """
    if not isinstance(call, Coroutine):
        async with asyncio.timeout(deadline):
            return await call
    try:
        waits_for = call.send(None)
    except StopIteration as ended:
        given: T = ended.value
        return given
    async with asyncio.timeout(deadline):
        return await _Begun(call, waits_for)


class _Begun(Awaitable[T]):
    """A coroutine that was begun by hand and waits for something, which its task is still to be told."""

    def __init__(self, call: Coroutine[Any, Any, T], waits_for: Any) -> None:
        self._call = call
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, T]:
        try:
            while True:
                try:
                    sent = yield self._waits_for
                except GeneratorExit:
                    self._call.close()
                    raise
                except BaseException as error:  # a cancellation, which the coroutine has to hear
                    self._waits_for = self._call.throw(error)
                else:
                    self._waits_for = self._call.send(sent)
        except StopIteration as ended:
            given: T = ended.value
            return given
