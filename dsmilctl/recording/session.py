"""Session: a recording as long as a block or a function goes on."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dsmilctl.recording.auto import AutoRecorder

Function = TypeVar("Function", bound=Callable[..., Any])


class RecordingSession:
    """Records while a `with` or `async with` block goes on; the block gets an AutoRecorder.

    It has failed, with the reason in its notes, when the block raises, and is completed otherwise; what the
    block raised goes on.  `type` is single, group, range, comprehensive or custom.  `archive` is the folder
    of the archive (the user's own without one), `context` what is recorded: empty for the current one, None
    for nothing but what the block tells; the other options are those of AutoRecorder.  Raises what
    `AutoRecorder.start_session` raises.
    """

    def __init__(
        self,
        name: str,
        type: str = "custom",
        *,
        archive: str | Path | None = None,
        context: str | None = "",
        devices: str = "",
        registers: Sequence[str] = (),
        interval: float = 1.0,
        host_metrics: bool = False,
        kernel: bool = False,
        operator: str = "",
        notes: str = "",
        tags: Sequence[str] = (),
    ) -> None:
        self.recorder = AutoRecorder(
            archive, context=context, devices=devices, registers=registers, interval=interval,
            host_metrics=host_metrics, kernel=kernel,
        )  # fmt: skip
        self._begin = functools.partial(
            self.recorder.start_session, name, type, operator=operator, notes=notes, tags=tags
        )

    def __enter__(self) -> AutoRecorder:
        self._begin()
        return self.recorder

    def __exit__(self, *error: Any) -> None:
        self._end(error[1])

    async def __aenter__(self) -> AutoRecorder:
        await asyncio.to_thread(self._begin)
        return self.recorder

    async def __aexit__(self, *error: Any) -> None:
        await asyncio.shield(asyncio.to_thread(self._end, error[1]))

    def _end(self, error: BaseException | None) -> None:
        if error is None:
            self.recorder.stop_session()
        else:
            self.recorder.stop_session("failed", f"{type(error).__name__}: {error}".rstrip(": "))


def recorded(name: str = "", type: str = "custom", **options: Any) -> Callable[[Function], Function]:
    """Record while a function runs, also an asynchronous one: a decorator.

    The recording is called like the function unless it has a `name`; the options are those of
    RecordingSession.  A function with a parameter `recorder` gets the AutoRecorder there.
    """

    def decorate(function: Function) -> Function:
        called = name or function.__qualname__.replace(".<locals>", "")
        wanted = "recorder" in inspect.signature(function).parameters

        def session() -> RecordingSession:
            return RecordingSession(called, type, **options)

        @functools.wraps(function)
        def wait(*arguments: Any, **named: Any) -> Any:
            with session() as recorder:
                return function(*arguments, **({"recorder": recorder} if wanted else {}) | named)

        @functools.wraps(function)
        async def wait_async(*arguments: Any, **named: Any) -> Any:
            async with session() as recorder:
                return await function(*arguments, **({"recorder": recorder} if wanted else {}) | named)

        return wait_async if inspect.iscoroutinefunction(function) else wait  # type: ignore[return-value]  # the same signature

    return decorate
