"""The demo's second part: a server in a process of its own, logins, and the consent of a second person."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from dsmilctl import diagnostics
from dsmilctl.clock import SYSTEM
from dsmilctl.config.contexts import Context, Server, add_context, find_context
from dsmilctl.errors import DSMILError, MissingExtraError, OperationTimeout
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.selector import parse_selector

if TYPE_CHECKING:
    from dsmilctl.client.remote.client import DSMILClient

NAME = "plant"
PATIENCE = 30.0
"""Seconds in which the server has to begin, and to end."""

ADMIN = ("admin", "dsmil_admin_2024")
SUPERVISOR = ("supervisor", "dsmil_super_2024")
"""Accounts of the simulator.  Source: the DSMIL API, version 2, demo accounts."""

WHY = "the demo tour goes on"
CRITICAL = Request(
    device_id=0x8001,
    type=OperationType.WRITE,
    register="CONFIG",
    value=5,
    justification=WHY,
    origin="demo",
)


class People(msgspec.Struct, frozen=True):
    """The two who are logged in to the server."""

    admin: DSMILClient
    supervisor: DSMILClient


async def tour_of_the_server(seconds: float) -> list[dict[str, Any]]:
    """What was done over the network, a row per step; one row that says so where no server is installed."""
    from dsmilctl.commands.serving import require_server

    try:
        require_server()
    except MissingExtraError as error:
        return [_row("server", f"skipped: {error.message}", 0.0, error.hint)]
    rows: list[dict[str, Any]] = []
    begun = SYSTEM.monotonic()
    async with _serving() as url, _people(url) as people:
        rows.append(_told("server", f"84 simulated devices at {url}", begun, "dsmilctl sim serve"))
        for name, command, act in STEPS:
            begun = SYSTEM.monotonic()
            rows.append(_told(name, await act(people, seconds), begun, f"dsmilctl -C {NAME} {command}"))
    return rows


def _told(name: str, result: str, begun: float, command: str) -> dict[str, Any]:
    if diagnostics.is_terminal():
        diagnostics.say(f"✓ {name}: {result}")
    return _row(name, result, SYSTEM.monotonic() - begun, command)


def _row(name: str, result: str, seconds: float, command: str) -> dict[str, Any]:
    return {"step": name, "result": result, "ms": round(seconds * 1000, 1), "command": command}


@asynccontextmanager
async def _serving() -> AsyncIterator[str]:
    """A server of this program in a process of its own, until it is left; its address."""
    words = ("-m", "dsmilctl", "sim", "serve", "--port", "0", "--json", "--no-rate-limit")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None, "it was asked for"
    try:
        async with asyncio.timeout(PATIENCE):
            line = await process.stdout.readline()
        if not line:
            raise DSMILError("the server of the demo ended before it began", hint="dsmilctl sim serve")
        url = str(msgspec.json.decode(line)["url"])
        yield url
    except TimeoutError:
        raise OperationTimeout("the server of the demo did not begin") from None
    finally:
        await asyncio.shield(_end(process))


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(PATIENCE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def _people(url: str) -> AsyncIterator[People]:
    """The context of the server, and two clients of it, not yet logged in."""
    from dsmilctl.client.remote.client import DSMILClient
    from dsmilctl.client.remote.opening import open_remote

    add_context(Context(name=NAME, kind="remote", target=url, server=Server(url=url)))
    async with open_remote(find_context(NAME)) as admin, DSMILClient(url) as supervisor:
        yield People(admin, supervisor)


async def _log_in(people: People, seconds: float) -> str:
    del seconds
    for client, (user, password) in ((people.admin, ADMIN), (people.supervisor, SUPERVISOR)):
        (await client.authenticate(user, password, "cli")).raise_for_status()
    me = await people.admin.whoami()
    return f"{me.username}, {me.clearance_level}; {SUPERVISOR[0]} on another line"


async def _bulk_read(people: People, seconds: float) -> str:
    del seconds
    readings = await people.admin.read(await people.admin.devices(), ["TEMP"])
    values = [reading.value for reading in readings if isinstance(reading.value, int)]
    return f"{len(values)} temperatures over the network, {min(values)} to {max(values)} °C"


async def _follow(people: People, seconds: float) -> str:
    devices = await people.admin.devices(parse_selector("0x8000-0x8003"))
    ends, count = SYSTEM.monotonic() + seconds, 0
    stream: AsyncGenerator[Any, None] = people.admin.stream(devices, interval=0.2)
    async with aclosing(stream):
        async for item in stream:
            count += len(getattr(item, "readings", ()))
            if SYSTEM.monotonic() >= ends:
                break
    return f"{count} readings of 4 devices, pushed"


async def _approve(people: People, seconds: float) -> str:
    del seconds
    asked = await people.admin.request_approval(CRITICAL, justification=WHY)
    given = await people.supervisor.decide_approval(asked.approval_id, approve=True, justification=WHY)
    approved = msgspec.structs.replace(CRITICAL, approval=given.approval_id)
    operation = await people.admin.change(approved)
    by = f"asked by {asked.requested_by}, approved by {given.decided_by}"
    return f"0x8001 CONFIG {operation.old} → {operation.new} ({by}): {operation.status}"


async def _stop(people: People, seconds: float) -> str:
    del seconds
    stop = await people.admin.stop(reason="demo tour")
    if stop.unconfirmed:
        raise DSMILError(f"{len(stop.unconfirmed)} devices did not confirm the stop")
    return f"{len(stop.confirmed)} of {len(stop.confirmations)} confirmed"


async def _release(people: People, seconds: float) -> str:
    del seconds
    return f"{len(await people.admin.release(justification=WHY))} stop released"


async def _log_out(people: People, seconds: float) -> str:
    del seconds
    for client in (people.admin, people.supervisor):
        await client.logout()
    return "both sessions ended"


Act = Callable[[People, float], Coroutine[Any, Any, str]]
STEPS: tuple[tuple[str, str, Act], ...] = (
    ("login", "auth login admin", _log_in),
    ("remote read", "bulk read @all TEMP", _bulk_read),
    ("remote stream", "stream devices 0x8000-0x8003 --interval 0.2 --for 2s", _follow),
    ("approval", "approval request 0x8001 CONFIG 5 --justification '…'", _approve),
    ("remote stop", "emergency stop --reason 'demo tour'", _stop),
    ("remote release", "emergency release --justification '…' --confirm plant", _release),
    ("logout", "auth logout", _log_out),
)
"""Step, the words behind `dsmilctl -C plant` that do the same, and what it is."""
