"""Recorder: has a command line of ours carried out in a process of its own, as a person in a shell would."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec

from dsmilctl.errors import CheckFailed, DSMILError, error_of

LARGEST = 1 << 20


async def carried_out(*arguments: str) -> dict[str, Any]:
    """The data that the command shows; raises the error with which it ended."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dsmilctl", "-o", "json", "--progress=none", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        limit=LARGEST,
    )  # fmt: skip
    try:
        said, complained = await process.communicate()
    except asyncio.CancelledError:  # the dashboard ends: so does what it asked for
        process.terminate()
        await process.wait()
        raise
    if process.returncode != 0:
        raise _error(said, complained)
    try:
        data: dict[str, Any] = msgspec.json.decode(said)["data"]
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise DSMILError("the command said nothing that can be understood") from error
    return data


def _error(said: bytes, complained: bytes) -> DSMILError:
    """The error that the command said last, or what it found wrong."""
    for line in reversed(complained.splitlines()):
        try:
            told = msgspec.json.decode(line)["error"]
            return error_of(told["code"], told["message"], hint=told["hint"] or "")
        except (msgspec.MsgspecError, KeyError, TypeError):
            continue  # a warning, or what another program said
    try:
        wrong = [f"{row['where']}: {row['what']}" for row in msgspec.json.decode(said)["data"]]
        return CheckFailed(wrong[0])
    except (msgspec.MsgspecError, LookupError, TypeError):
        return DSMILError("the command failed without a word")
