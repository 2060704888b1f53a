"""`dsmilctl demo`: a tour of everything, in a throw-away folder."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
import typer

from dsmilctl import diagnostics
from dsmilctl.client.connecting import connect
from dsmilctl.client.interface import Client
from dsmilctl.clock import SYSTEM
from dsmilctl.commands.demo_recording import tour_of_the_archive
from dsmilctl.commands.demo_server import tour_of_the_server
from dsmilctl.commands.execution import execute
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.questions import interactive
from dsmilctl.commands.runner import end_with
from dsmilctl.errors import DSMILError, EmergencyStopActive
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.reading import Batch
from dsmilctl.model.selector import parse_selector
from dsmilctl.stdout import moves_cursor
from dsmilctl.tables import Column

app = Noun("demo")
COLUMNS = (
    Column("step"),
    Column("result", flexible=True),
    Column("ms", right=True),
    Column("command", flexible=True),
)


class Step(msgspec.Struct, frozen=True):
    """One step of the tour: the command that does the same, and what to call."""

    name: str
    command: str
    act: Callable[[Client, float], Awaitable[str]]
    context: str = "sim"


@app.alone(impact="write")
def demo(
    seconds: Annotated[float, typer.Option(metavar="N", min=0.1, help="how long to follow readings")] = 2.0,
) -> None:
    """Take a tour: sensors, simulated devices, a server, a recording and its backup, in a throw-away folder.

    Ends with a summary of what was really done; on a terminal the dashboard opens after it.

    Example: dsmilctl demo --seconds 1
    """
    chosen = invocation(despite_errors=True)
    output = chosen.make_output()
    with tempfile.TemporaryDirectory(prefix="dsmilctl-demo-") as home:
        before = os.environ.get("DSMIL_HOME")
        os.environ["DSMIL_HOME"] = home
        try:
            rows = execute(_tour(seconds), chosen.time_limit)
            output.show(rows, schema="demo/1", columns=COLUMNS)
            if output.for_people:
                diagnostics.say(
                    "all of it was real, in a folder that is gone now; your turn: dsmilctl --help"
                )
            if output.for_people and interactive() and moves_cursor():
                end_with(_dashboard())
        finally:
            _restore("DSMIL_HOME", before)


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _dashboard() -> int:
    from dsmilctl.tui.run import run_dashboard

    diagnostics.say("the dashboard opens on the simulated devices: ? is help, q leaves, ctrl+x stops")
    time.sleep(1.5)
    return run_dashboard(context_name="sim", read_only=False, low_bandwidth=False, open_client=connect)


async def _tour(seconds: float) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for step in STEPS:
        begun = SYSTEM.monotonic()
        async with connect(step.context) as client:
            result = await step.act(client, seconds)
        elapsed = round((SYSTEM.monotonic() - begun) * 1000, 1)
        rows.append({"step": step.name, "result": result, "ms": elapsed, "command": step.command})
        if diagnostics.is_terminal():
            diagnostics.say(f"✓ {step.name}: {result}")
    return rows + await tour_of_the_server(seconds) + await tour_of_the_archive(seconds)


async def _sensors(client: Client, seconds: float) -> str:
    del seconds
    devices = await client.devices()
    readings = await client.read(devices)
    return f"{len(devices)} devices of this machine, {sum(item.good for item in readings)} good readings"


async def _follow_load(client: Client, seconds: float) -> str:
    devices = await client.devices(parse_selector("load"))
    count, last = await _follow(client, devices, seconds)
    return f"{count} readings of the load, the last one {last}"


async def _follow(client: Client, devices: list[Any], seconds: float) -> tuple[int, Any]:
    count, last, end = 0, None, SYSTEM.monotonic() + seconds
    stream = client.stream(devices, interval=0.2)
    try:
        async for item in stream:
            if isinstance(item, Batch) and item.readings:
                count += len(item.readings)
                last = item.readings[-1].value
            if SYSTEM.monotonic() >= end:
                break
    finally:
        await stream.aclose()
    return count, last


async def _list(client: Client, seconds: float) -> str:
    del seconds
    devices = await client.devices(quarantined=True)
    return f"{len(devices)} simulated devices, {sum(item.quarantined for item in devices)} quarantined"


async def _bulk_read(client: Client, seconds: float) -> str:
    del seconds
    readings = await client.read(await client.devices(), ["TEMP"])
    values = [reading.value for reading in readings if isinstance(reading.value, int)]
    return f"{len(values)} temperatures, {min(values)} to {max(values)} °C"


async def _follow_sim(client: Client, seconds: float) -> str:
    devices = await client.devices(parse_selector("0x8000-0x8003"))
    count, _ = await _follow(client, devices, seconds)
    return f"{count} readings of 4 devices"


REQUEST = Request(
    device_id=0x8030,
    type=OperationType.WRITE,
    register="CONFIG",
    value=5,
    justification="demo tour",
    origin="demo",
)


async def _write(client: Client, seconds: float) -> str:
    del seconds
    operation = await client.change(REQUEST)
    change = f"{operation.old} → {operation.new}, read back {operation.read_back}"
    return f"0x8030 CONFIG {change}: {operation.status}"


async def _stop(client: Client, seconds: float) -> str:
    del seconds
    stop = await client.stop(reason="demo tour")
    slowest = max(item.elapsed_ms for item in stop.confirmations)
    return f"{len(stop.confirmed)} of {len(stop.confirmations)} confirmed in {slowest:.0f} ms"


async def _refused(client: Client, seconds: float) -> str:
    del seconds
    try:
        await client.change(REQUEST)
    except EmergencyStopActive as refusal:
        return f"refused as it must be: {refusal.code}"
    raise DSMILError("a write went through under an emergency stop")


async def _release(client: Client, seconds: float) -> str:
    del seconds
    released = await client.release(justification="the demo tour goes on")
    return f"{len(released)} stop released"


async def _verify(client: Client, seconds: float) -> str:
    del seconds
    verdict = await client.audit_verify()
    if not verdict.intact:
        raise DSMILError(f"the journal is not intact: {verdict.problem}")
    return f"{verdict.records} records, chain intact"


STEPS = (
    Step("sensors", "dsmilctl -C local device list", _sensors, "local"),
    Step("stream", "dsmilctl -C local stream devices load --interval 0.2 --for 2s", _follow_load, "local"),
    Step("list", "dsmilctl -C sim device list @all --quarantined", _list),
    Step("bulk read", "dsmilctl -C sim bulk read @all TEMP", _bulk_read),
    Step("follow", "dsmilctl -C sim stream devices 0x8000-0x8003 --interval 0.2 --for 2s", _follow_sim),
    Step("write", "dsmilctl -C sim device write 0x8030 CONFIG 5", _write),
    Step("stop", "dsmilctl -C sim emergency stop --reason 'demo tour'", _stop),
    Step("refused write", "dsmilctl -C sim device write 0x8030 CONFIG 5 --yes", _refused),
    Step("release", "dsmilctl -C sim emergency release --justification '…' --confirm sim", _release),
    Step("journal", "dsmilctl audit verify", _verify),
)
