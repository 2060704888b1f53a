"""Traced: every call of a driver in the log, with its duration; for whoever asked for every detail."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from dsmilctl.clock import Clock
from dsmilctl.drivers.contract import Driver
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register

CALLS = (
    "discover", "initialize", "open", "close", "shutdown", "reset", "read", "read_many", "write", "command",
    "safe_state", "safe_many", "absent", "forget",
)  # fmt: skip


def trace(driver: Driver, logger: logging.Logger, clock: Clock) -> None:
    """Have every call of this driver logged at DEBUG from now on, also one that fails or is broken off."""
    for name in CALLS:
        setattr(driver, name, _traced(name, getattr(driver, name), logger, clock))


def _traced(
    name: str, call: Callable[..., Awaitable[Any]], logger: logging.Logger, clock: Clock
) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(call)
    async def timed(*arguments: Any) -> Any:
        begun, ended = clock.monotonic(), "broken off"
        try:
            answer = await call(*arguments)
            ended = "done"
        except Exception as error:  # told, and on it goes
            ended = f"failed ({type(error).__name__}: {error})"
            raise
        finally:
            words = " ".join(filter(None, (name, *map(_shown, arguments))))
            logger.debug("%s: %s, %.2f ms", words, ended, (clock.monotonic() - begun) * 1000)
        return answer

    return timed


def _shown(argument: Any) -> str:
    """A device by its id, registers by their names, many devices by their number, a value as it is."""
    if isinstance(argument, Device):
        return argument.shown_id
    if isinstance(argument, Register):
        return argument.name
    if isinstance(argument, Sequence) and not isinstance(argument, str):
        if argument and all(isinstance(item, Register) for item in argument):
            return ",".join(item.name for item in argument)
        return f"of {len(argument)}"
    return "" if argument is None else str(argument)
