"""Server: what a read costs, what a hundred clients wait for, and what the SDK and a stream carry.

Client and server share two cores, so costs are processor seconds of the server, not requests per second of
the pair.  `BENCH_MINUTES` makes the hundred clients go on for so long (2 by default, 30 for the long form).
Rates and times are judged as the share of the bar that this machine has to reach: beside `gh --version` of
the same minutes, which takes 39 ms where the bars were written.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Iterable
from contextlib import aclosing

import httpx

from bench.machine import version_of_gh
from bench.row import Row
from bench.server_process import Line, ServerProcess
from dsmilctl import DSMILClient
from dsmilctl.model.reading import Batch
from dsmilctl.model.selector import EVERYTHING

MINUTES = float(os.environ.get("BENCH_MINUTES", "2"))
WARM_UP = 1.5
"""Minutes before memory counts: what is kept for later requests, within its bounds, fills up."""
CLIENTS = 100
PACE = 2.0
"""Operations per second of each of the hundred clients."""
READ = {"operation_type": "READ", "operation_data": {"register": "TEMP"}}
BARE = """
import json, socket, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

async def operate(request):
    await request.body()
    return Response(b'{"status": "SUCCESS"}', media_type="application/json")

sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
sock.bind(("127.0.0.1", 0))
sock.listen()
print(json.dumps({"url": "http://127.0.0.1:%d" % sock.getsockname()[1]}), flush=True)
app = Starlette(routes=[Route("/api/v2/devices/{device}/operations", operate, methods=["POST"])])
uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[sock])
"""


def rows() -> Iterable[Row]:
    """The server's bars and those of its client library."""
    with ServerProcess(command=[sys.executable, "-c", BARE]) as bare:
        limit = asyncio.run(reads_per_core_second(bare, ""))
    with ServerProcess() as server:
        ours, gh = asyncio.run(reads_per_core_second(server, server.token())), version_of_gh()
        yield Row(
            "server: READ per second of a core", ours, "/s", 3000, "Starlette alone", limit, True, True, gh
        )
        yield from hundred_clients(server)
    with ServerProcess("--devices", "1200") as server:
        sdk, loop = asyncio.run(thousand_reads(server)), asyncio.run(thousand_posts(server))
        yield Row("SDK: 1,000 reads at once", sdk, "/s", 10, "httpx", loop, at_least=True)
    with ServerProcess("--devices", "12000") as server:
        heard, missed, told = asyncio.run(fan_out(server))
        gh = version_of_gh()
        yield Row("push: readings to one client", heard, "/s", 100_000, at_least=True, gh=gh)
        # The sequence numbers what is read for alarms, too: 12,000 VOLTAGEs each five seconds.
        yield Row("push: numbers that are of others", told - heard - missed, "/s")


async def reads_per_core_second(server: ServerProcess, token: str, lines: int = 8) -> float:
    """READ operations over keep-alive for each second of processor time that they cost the server."""
    for _ in range(2):  # the first round warms up
        begun, end = server.processor_seconds, time.perf_counter() + 3.0
        opened = [await Line(server.url, token).open() for _ in range(lines)]
        count = sum(await asyncio.gather(*(_ask_until(end, line) for line in opened)))
    return count / (server.processor_seconds - begun)


async def _ask_until(end: float, line: Line) -> int:
    count = 0
    while time.perf_counter() < end:
        status, _ = await line.ask("POST", "/api/v2/devices/0x8000/operations", READ)
        assert status == 200
        count += 1
    line.close()
    return count


def hundred_clients(server: ServerProcess) -> Iterable[Row]:
    """A hundred clients at their own pace, with bulks and a subscriber among them."""
    asyncio.run(crowd(server, WARM_UP, Lag(server)))
    before = server.megabytes
    stalled = Lag(server)
    single, bulk, push = asyncio.run(crowd(server, MINUTES, stalled))
    grown, gh = server.megabytes - before, version_of_gh()
    yield Row("server: 100 clients, single operation, p95", percentile(single, 95), "ms", 100, gh=gh)
    yield Row("server: 100 clients, longest of all", max(single), "ms")
    yield Row("server: 100 clients, its loop late by at most", stalled.longest, "ms", 50, gh=gh)
    yield Row("server: 100 clients, bulk of 50 devices, p95", percentile(bulk, 95), "ms", 2000, gh=gh)
    yield Row("server: 100 clients, change to push, p95", percentile(push, 95), "ms", 50, gh=gh)
    yield Row(f"server: grown in {MINUTES:g} min", grown, "MB", 10)


class Lag:
    """By how many milliseconds the loop of a server was late at most while this was watched."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self.longest = 0.0

    async def watch(self, token: str, end: float) -> None:
        """Ask the server, which knows it of its last minute, until the end."""
        while (left := end - time.perf_counter()) > 0:
            await asyncio.sleep(min(left, 30.0))
            line = await Line(self._server.url, token).open()
            _, content = await line.ask("GET", "/api/v2/monitoring/metrics")
            line.close()
            seconds = content.partition(b"\ndsmil_loop_lag_seconds ")[2].split()[0]
            self.longest = max(self.longest, float(seconds) * 1000)


async def crowd(
    server: ServerProcess, minutes: float, lag: Lag
) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of single operations, of bulks of 50 devices, and from a write to its push."""
    token, end = server.token(), time.perf_counter() + minutes * 60
    single: list[float] = []
    bulk: list[float] = []
    items = [{"device_id": 0x8000 + number, **READ} for number in range(60) if number not in (9, 10, 11)]

    async def client(number: int) -> None:
        line = await Line(server.url, token).open()
        await asyncio.sleep(number / CLIENTS / PACE)
        while (due := time.perf_counter()) < end:
            if number % 25 == 0:
                status, _ = await line.ask("POST", "/api/v2/operations/bulk", {"operations": items[:50]})
                bulk.append((time.perf_counter() - due) * 1000)
            else:
                status, _ = await line.ask("POST", f"/api/v2/devices/{0x8000 + number % 9}/operations", READ)
                single.append((time.perf_counter() - due) * 1000)
            assert status == 200
            await asyncio.sleep(max(0.0, due + 1 / PACE - time.perf_counter()))
        line.close()

    pushes = asyncio.create_task(changes(server, token, end))
    await asyncio.gather(lag.watch(token, end), *(client(number) for number in range(CLIENTS)))
    return single, bulk, await pushes


async def changes(server: ServerProcess, token: str, end: float) -> list[float]:
    """Milliseconds from the moment a write is sent until a subscriber hears of the new value."""
    from websockets.asyncio.client import connect

    took = []
    line = await Line(server.url, token).open()
    url = server.url.replace("http", "ws", 1) + "/api/v2/ws"
    async with connect(url, additional_headers={"Authorization": f"Bearer {token}"}, proxy=None) as socket:
        data = {
            "subscription": "device_updates",
            "filters": {"device_ids": [0x8030]},
            "registers": ["CONFIG"],
            "interval_ms": 3_600_000,
        }
        await socket.send(json.dumps({"type": "SUBSCRIBE_ADVANCED", "id": "1", "data": data}))
        value = 0
        while time.perf_counter() < end:
            value = value % 1000 + 1
            write = {
                "operation_type": "WRITE",
                "operation_data": {"register": "CONFIG", "value": value},
                "justification": "a benchmark of pushes",
            }
            wanted, begun = f'"0x{value:08X}"', time.perf_counter()
            asked = asyncio.create_task(line.ask("POST", "/api/v2/devices/0x8030/operations", write))
            async with asyncio.timeout(10):
                while wanted not in str(await socket.recv()):
                    pass
            took.append((time.perf_counter() - begun) * 1000)
            status, body = await asked
            assert status == 200, body
            await asyncio.sleep(0.2)
    line.close()
    return took


async def thousand_reads(server: ServerProcess) -> float:
    """Reads per second of 1,000 that are asked for at once of the SDK."""
    async with DSMILClient(server.url) as client:
        (await client.authenticate("admin", "dsmil_admin_2024")).raise_for_status()
        ids = [device.device_id for device in await client.devices(EVERYTHING)][:1000]
        rates = []
        for _ in range(3):
            begun = time.perf_counter()
            results = await asyncio.gather(*(client.read_device(device_id, "TEMP") for device_id in ids))
            rates.append(len(ids) / (time.perf_counter() - begun))
            assert all(result.success for result in results)
    return statistics.median(rates)


async def thousand_posts(server: ServerProcess) -> float:
    """The same with httpx as its manual shows it."""
    headers = {"Authorization": f"Bearer {server.token()}"}
    async with httpx.AsyncClient(
        base_url=server.url, headers=headers, timeout=120, trust_env=False
    ) as client:
        devices = (await client.get("/api/v2/devices", params={"limit": 100})).json()["devices"]
        paths = [f"/api/v2/devices/{devices[number % 90]['device_id']}/operations" for number in range(1000)]
        begun = time.perf_counter()
        answers = await asyncio.gather(*(client.post(path, json=READ) for path in paths))
        elapsed = time.perf_counter() - begun
        assert all(answer.status_code == 200 for answer in answers)
    return len(paths) / elapsed


async def fan_out(server: ServerProcess, seconds: float = 10.0) -> tuple[float, float, float]:
    """Readings per second that one client heard, was told to have missed, and that were taken."""
    async with DSMILClient(server.url) as client:
        (await client.authenticate("admin", "dsmil_admin_2024")).raise_for_status()
        devices = (await client.devices(EVERYTHING))[:11_000]
        heard, missed, first, last, begun = 0, 0, 0, 0, 0.0
        async with aclosing(client.stream(devices, ["TEMP"], interval=0.1)) as stream:
            async for item in stream:
                begun = begun or time.perf_counter()
                if isinstance(item, Batch):
                    heard += len(item.readings)
                    last = max(last, item.readings[-1].sequence)
                    first = first or item.readings[0].sequence
                else:
                    missed += item.missed
                if time.perf_counter() - begun > seconds:
                    break
        elapsed = time.perf_counter() - begun
    return heard / elapsed, missed / elapsed, (last - first + 1) / elapsed


def percentile(figures: list[float], part: int) -> float:
    """The figure that `part` of a hundred do not exceed."""
    return statistics.quantiles(figures, n=100)[part - 1]
