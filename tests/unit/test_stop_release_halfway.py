"""Releases that are broken off or fail half-way: what ended is on record, what came meanwhile stays."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path

import pytest

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.config.paths import Paths
from dsmilctl.errors import StateUnavailable
from dsmilctl.guard import latch as latch_module
from dsmilctl.guard.latch_files import Held, unlink
from dsmilctl.guard.stop import Unlatched
from tests.rack import Lab, Rack
from tests.unit.test_latch import stop

RELEASE = "the smoke was steam"


async def test_a_release_that_is_broken_off_ends_and_is_recorded_before_anybody_goes_on(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Lab(home, Rack(1)).client() as client:
        stopped = await client.stop(reason="smoke")
        loop, begun, goes_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
        remove = client._latch._remove

        def slow(held: Held) -> None:
            loop.call_soon_threadsafe(begun.set)
            assert goes_on.wait(10)
            remove(held)

        monkeypatch.setattr(client._latch, "_remove", slow)
        release = asyncio.create_task(client.release(justification=RELEASE))
        await begun.wait()
        release.cancel()
        loop.call_soon(goes_on.set)
        with pytest.raises(asyncio.CancelledError):
            await release
        records = await client.audit(HistoryQuery(action="emergency.release"))
        standing = await client.stops()

    assert standing == []
    assert [record.outcome for record in records] == ["SUCCESS", "INTENT"]
    assert records[0].parameters["released"] == [stopped.stop_id]


async def test_a_release_that_fails_half_way_names_what_has_ended(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    rack = Rack(2)

    async with Lab(home, rack).client() as client:
        first, second = sorted([(await client.stop([device])).stop_id for device in rack.devices])

        def fails(folder: Path, name: str) -> None:
            if name.startswith(second):
                raise OSError(errno.EIO, "Input/output error")
            unlink(folder, name)

        monkeypatch.setattr(latch_module, "unlink", fails)
        with pytest.raises(StateUnavailable):
            await client.release(justification=RELEASE)
        records = await client.audit(HistoryQuery(action="emergency.release"))
        standing = await client.stops()

    assert [stop.stop_id for stop in standing] == [second]
    assert [record.outcome for record in records] == ["FAILED", "INTENT"]
    assert records[0].parameters["released"] == [first]


def test_a_stop_that_comes_into_memory_while_others_are_released_there_stays() -> None:
    memory = Unlatched()
    memory.add(stop(1))
    late: list[threading.Thread] = []

    class Released(frozenset[str]):
        """Ids; whenever it is asked another stop comes, and has come unless it has to wait."""

        def __contains__(self, item: object) -> bool:
            late.append(threading.Thread(target=memory.add, args=(stop(len(late) + 2),)))
            late[-1].start()
            late[-1].join(0.05)
            return super().__contains__(item)

    gone = memory.take(Released(["stop-1"]))
    for thread in late:
        thread.join()

    assert [item.stop_id for item in gone] == ["stop-1"]
    assert {item.stop_id for item in memory.stops} == {f"stop-{number + 2}" for number in range(len(late))}
