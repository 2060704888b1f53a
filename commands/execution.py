"""Execution: runs what a command has to do, until it is done, its deadline is over or a signal ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from dsmilctl.commands.garbage import LONG, collect_often
from dsmilctl.commands.signals import Signals
from dsmilctl.errors import OperationTimeout

T = TypeVar("T")


class _Running:
    """What may end the work that runs now."""

    signals: Signals | None = None
    limit: asyncio.Timeout | None = None


def execute(
    work: Coroutine[Any, Any, T],
    deadline: float = 0.0,
    make_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> T:
    """Run a coroutine to its end, on a loop of the kind that `make_loop` makes.

    Raises OperationTimeout when `deadline` seconds (0: none) are over, and SystemExit with 130, 143 or 129
    after SIGINT, SIGTERM or SIGHUP; in both cases the coroutine was cancelled and has cleaned up.
    """
    loop = make_loop()
    try:
        task = loop.create_task(_bounded(work, deadline))
        loop.call_later(LONG, collect_often)
        with Signals(loop, task) as signals:
            _Running.signals = signals
            try:
                return loop.run_until_complete(task)
            except asyncio.CancelledError:
                raise SystemExit(signals.exit_status) from None
            finally:
                _clear(loop)
    finally:
        _Running.signals = _Running.limit = None
        loop.close()


def ending() -> str:
    """Why the work that runs now is being cancelled: a `signal`, its `deadline`, or an `error` elsewhere."""
    if _Running.signals is not None and _Running.signals.received is not None:
        return "signal"
    return "deadline" if _Running.limit is not None and _Running.limit.expired() else "error"


def time_left() -> float | None:
    """Seconds until the deadline of the work that runs now; None without one."""
    when = _Running.limit.when() if _Running.limit is not None else None
    return None if when is None else max(0.0, when - asyncio.get_running_loop().time())


async def _bounded(work: Coroutine[Any, Any, T], deadline: float) -> T:
    try:
        async with asyncio.timeout(deadline or None) as limit:
            _Running.limit = limit
            return await work
    except TimeoutError:
        if limit.expired():
            message = f"not done within the deadline of {deadline:g} s"
            raise OperationTimeout(
                message, hint="a longer --deadline allows more", target="--deadline"
            ) from None
        raise


def _clear(loop: asyncio.AbstractEventLoop) -> None:
    """Let every task that is left over end.

    Threads are not waited for, as asyncio.run does: one that hangs in a driver would hang the command.
    """
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
