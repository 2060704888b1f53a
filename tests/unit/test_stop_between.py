"""A stop that comes and is released while a change is being prepared: the change is not made."""

from __future__ import annotations

import asyncio
import threading

import pytest

from dsmilctl.client.local import LocalClient
from dsmilctl.config.paths import Paths
from dsmilctl.errors import EmergencyStopActive
from dsmilctl.guard.journal import Request
from dsmilctl.guard.latch_files import Held
from dsmilctl.model.operation import OperationStatus
from tests.rack import Lab, Rack, write


class Slow:
    """A journal that takes the intent of a change, and then its time."""

    def __init__(self, client: LocalClient) -> None:
        self._evidence = client._guard._evidence
        self._written = self._evidence.written
        self._evidence.written = self.written  # type: ignore[method-assign]  # the real one, and then a wait
        self.waits, self.goes_on = asyncio.Event(), asyncio.Event()

    async def written(self, request: Request) -> None:
        await self._written(request)
        if any(entry.outcome == "INTENT" for entry in request.entries):
            self.waits.set()
            await self.goes_on.wait()


@pytest.mark.parametrize("count", [1, 2])
async def test_a_change_is_not_made_when_a_stop_came_and_went_since_it_was_compared(
    home: Paths, count: int
) -> None:
    rack = Rack(3)
    rack.values["rack-0", "LEVEL"] = 90
    lab = Lab(home, rack)
    async with lab.client() as client, lab.client() as other:
        slow = Slow(client)
        change = asyncio.create_task(client.change(write("rack-0", value=95, if_value=90)))
        await slow.waits.wait()
        for _ in range(count):
            stop = await other.stop(reason="smoke")
            await other.release(stop.stop_id, justification="the smoke was steam")
        slow.goes_on.set()

        with pytest.raises(EmergencyStopActive, match="before this change was made") as refusal:
            await change
        assert "ask again" in str(refusal.value.hint)
        assert set(rack.written("LEVEL")) == {0}, "the safe state alone"
        again = await client.change(write("rack-0", value=5, if_value=0))

    assert again.status is OperationStatus.SUCCESS


async def test_a_change_is_not_made_while_a_release_takes_its_time(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop comes from a process that was killed when its latch lay on the disk."""
    rack = Rack(1)
    rack.values["rack-0", "LEVEL"] = 90
    lab = Lab(home, rack)
    async with lab.client() as client, lab.client() as other:
        slow = Slow(client)
        change = asyncio.create_task(client.change(write("rack-0", value=95, if_value=90)))
        await slow.waits.wait()
        stop = other._stop_control.engage("smoke", "@all", None)
        loop, over, remove = asyncio.get_running_loop(), threading.Event(), other._latch._remove

        def removed(held: Held) -> None:
            remove(held)
            loop.call_soon_threadsafe(slow.goes_on.set)
            assert over.wait(10)

        monkeypatch.setattr(other._latch, "_remove", removed)
        release = asyncio.create_task(other.release(stop.stop_id, justification="the smoke was steam"))
        with pytest.raises(EmergencyStopActive, match="before this change was made"):
            await change
        over.set()
        await release

    assert rack.written("LEVEL") == []


async def test_in_a_bulk_only_the_devices_that_were_stopped_are_left_alone(home: Paths) -> None:
    rack = Rack(4)
    lab = Lab(home, rack)
    async with lab.client() as client, lab.client() as other:
        slow = Slow(client)
        wanted = [write(device.device_id, value=5) for device in rack.devices]
        change = asyncio.create_task(client.change_many(wanted))
        await slow.waits.wait()
        stop = await other.stop(rack.devices[1:2], reason="smoke")
        await other.release(stop.stop_id, justification="the smoke was steam")
        slow.goes_on.set()
        done = (await change).results

    assert [item.error_code for item in done] == ["", "EMERGENCY_STOP", "", ""]
    assert rack.get("rack-1", "LEVEL") == 0
