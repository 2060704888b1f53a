"""Program: the command around which something is recorded."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from dsmilctl.errors import NotFound


async def carried_out(command: tuple[str, ...], seconds: float) -> int:
    """The exit status of a program, 128 and the signal where one ended it; raises NotFound."""
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except (FileNotFoundError, PermissionError) as error:
        raise NotFound(f"{command[0]}: {error.strerror}", hint="dsmilctl record run … -- PROGRAM") from error
    try:
        async with asyncio.timeout(seconds or None):
            status = await process.wait()
    except BaseException:  # cancelled or too late: the program must not outlive us
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        raise
    return status if status >= 0 else 128 - status
