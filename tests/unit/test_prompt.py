"""A deadline that is set up only for what has to wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dsmilctl.drivers.prompt import within


async def test_what_is_there_at_once_is_given_at_once_however_short_the_deadline_is() -> None:
    async def answer() -> int:
        return 42

    assert await within(0.0, answer()) == 42


async def test_what_waits_goes_on_where_it_was_as_often_as_it_has_to() -> None:
    async def answer() -> list[Any]:
        found: list[Any] = [asyncio.current_task()]
        await asyncio.sleep(0)
        found.append(await asyncio.sleep(0.01, "slept"))
        found.append(await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0.005, 2)))
        return found

    assert await within(5.0, answer()) == [asyncio.current_task(), "slept", [1, 2]]


async def test_what_takes_too_long_is_told_to_end_and_ends_in_order() -> None:
    ended: list[str] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            ended.append("cleaned up")
            raise

    with pytest.raises(TimeoutError):
        await within(0.02, hang())
    assert ended == ["cleaned up"]


async def test_a_cancellation_at_the_first_wait_reaches_what_waits() -> None:
    ended = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(within(60.0, hang()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


@pytest.mark.parametrize("pause", [0, 1])
async def test_what_fails_fails_with_its_own_error(pause: int) -> None:
    async def fail() -> None:
        for _ in range(pause):
            await asyncio.sleep(0.001)
        raise ConnectionError("no answer")

    with pytest.raises(ConnectionError, match="no answer"):
        await within(5.0, fail())


async def test_a_future_has_the_deadline_too() -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        await within(0.01, future)


async def test_what_swallows_one_error_may_give_its_answer_after_it() -> None:
    async def stubborn() -> str:
        failing = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(failing.set_exception, OSError("gone"))
        try:
            await failing
        except OSError:
            return await asyncio.sleep(0.001, "all the same")
        return "never"

    assert await within(5.0, stubborn()) == "all the same"
