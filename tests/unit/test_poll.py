"""Polling: a fixed schedule, on which nobody waits for a slow device and nothing is silently late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.clock import NANOSECONDS, SYSTEM, Clock
from dsmilctl.drivers.contract import Answer, Driver, DriverContext, NoOptions
from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed, Reconnect
from dsmilctl.errors import HardwareError, InvalidParameter
from dsmilctl.fleet.poll import Poll, Target
from dsmilctl.model.device import Device, DeviceId, DeviceState
from dsmilctl.model.event import Event
from dsmilctl.model.reading import Batch, Quality
from dsmilctl.model.register import Register
from dsmilctl.testing.clock import StandingClock
from tests.rack import LEVEL, MODE, Rack

pytestmark = pytest.mark.usefixtures("watchdog")


class Round:
    """Racks, the poll over them and every batch that it handed out."""

    def __init__(
        self, *racks: Rack, clock: Clock = SYSTEM, batch: bool = True, interval: float = 1.0, **options: Any
    ) -> None:
        self.events: list[Event] = []
        self.batches: list[Batch] = []
        lifecycle = Lifecycle(
            clock=clock, reconnect=Reconnect(jitter=0.0, cap=30.0), announce=self.events.append
        )
        self.managed: dict[DeviceId, Managed] = {}
        targets: list[Target] = []
        for rack in racks:
            driver = self._driver(rack, batch=batch)
            for device in rack.devices:
                self.managed[device.device_id] = Managed(device, driver, clock.now())
                targets.append((self.managed[device.device_id], (LEVEL, MODE)))
        given = {"deadline": 0.2} | options
        self.poll = Poll(targets, lifecycle, clock, self.batches.append, interval=interval, **given)

    @staticmethod
    def _driver(rack: Rack, *, batch: bool) -> Driver:
        kind = rack.batch_driver() if batch else rack.driver()
        return kind(NoOptions(), DriverContext(Path("/nonexistent")))

    def values(self, index: int = -1) -> dict[tuple[DeviceId, str], Any]:
        return {(item.device_id, item.register): item.value for item in self.batches[index].readings}

    async def settle(self) -> None:
        """Let the questions that were asked alone be answered."""
        while self.poll._asking or self.poll._late:
            await asyncio.sleep(0.005)


async def until(ready: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not ready():
            await asyncio.sleep(0.005)


async def test_a_tick_hands_out_one_batch_with_every_reading_in_order() -> None:
    rack = Rack(3)
    rack.values["rack-1", "LEVEL"] = 7
    turn = Round(rack)

    await turn.poll.tick()
    await turn.poll.tick()

    assert [batch.sequence for batch in turn.batches] == [1, 2]
    assert [reading.device_id for reading in turn.batches[0].readings] == [
        "rack-0", "rack-0", "rack-1", "rack-1", "rack-2", "rack-2",
    ]  # fmt: skip
    assert turn.values()["rack-1", "LEVEL"] == 7
    assert (turn.batches[0].failed, turn.batches[0].pending) == ((), ())


async def test_only_changes_are_handed_out_where_that_is_wanted_and_everything_after_forgetting() -> None:
    rack = Rack(3)
    turn = Round(rack, changes_only=True)
    sizes = []
    for step in range(5):
        if step == 2:
            rack.values["rack-2", "MODE"] = 1
        if step == 4:
            turn.poll.forget()
        await turn.poll.tick()
        sizes.append(len(turn.batches[-1].readings))

    assert sizes == [6, 0, 2, 0, 6]
    assert turn.values(2) == {("rack-2", "LEVEL"): 0, ("rack-2", "MODE"): 1}


async def test_an_unchanged_device_counts_as_seen() -> None:
    clock, rack = StandingClock(), Rack(1)
    turn = Round(rack, clock=clock, changes_only=True)

    await turn.poll.tick()
    clock.advance(60)
    await turn.poll.tick()

    assert turn.batches[-1].readings == ()
    assert turn.managed["rack-0"].last_seen == clock.now()


async def test_a_device_asked_alone_follows_as_a_partial_batch_and_delays_nobody() -> None:
    rack = Rack(3)
    rack.faults["rack-1", "read"] = "slow"
    turn = Round(rack)

    await turn.poll.tick()
    first = turn.batches[0]
    await turn.settle()
    second = turn.batches[1]

    assert (first.pending, first.failed, first.partial) == (("rack-1",), (), False)
    assert {reading.device_id for reading in first.readings} == {"rack-0", "rack-2"}
    assert (second.pending, second.failed, second.partial) == ((), (), True)
    assert {reading.device_id for reading in second.readings} == {"rack-1"}


async def test_a_thousand_devices_asked_alone_answer_in_a_few_batches() -> None:
    """A batch for each would push the other batches out of every listener's queue."""
    rack = Rack(1000)
    rack.faults |= {(device.device_id, "read"): "slow" for device in rack.devices}
    turn = Round(rack, deadline=10)

    await turn.poll.tick()
    await turn.settle()

    assert len(turn.batches[0].pending) == 1000
    assert len(turn.batches) < 60
    assert sum(len(batch.readings) for batch in turn.batches[1:]) == 2000


async def test_a_device_that_is_still_asked_is_late_and_stale_with_its_last_good_value() -> None:
    clock, rack = StandingClock(), Rack(2)
    rack.values["rack-1", "LEVEL"] = 55
    turn = Round(rack, clock=clock)
    await turn.poll.tick()
    seen = clock.now()
    rack.faults["rack-1", "read"] = "silent"

    clock.advance(1)
    await turn.poll.tick()
    clock.advance(1)
    await turn.poll.tick()
    late = turn.batches[-1]
    await turn.settle()

    stale = [reading for reading in late.readings if reading.device_id == "rack-1"]
    assert late.failed == ("rack-1",)
    assert [(item.value, item.quality, item.timestamp, item.error) for item in stale] == [
        (55, Quality.STALE, seen, "no answer yet"),
        (0, Quality.STALE, seen, "no answer yet"),
    ]
    assert turn.managed["rack-1"].statistics.late == 1
    assert rack.asked.count(("read", "rack-1")) == 1


async def test_of_a_register_that_failed_before_its_device_fell_silent_the_last_good_value_is_shown() -> None:
    clock, rack = StandingClock(), Rack(2)
    values: dict[Any, Any] = rack.values
    values["rack-1", "LEVEL"] = 55
    turn = Round(rack, clock=clock)
    await turn.poll.tick()
    values["rack-1", "LEVEL"] = HardwareError("the float is stuck")
    values["rack-1", "MODE"] = 2
    clock.advance(1)
    await turn.poll.tick()
    rack.faults["rack-1", "read"] = "silent"

    for _ in range(2):
        clock.advance(1)
        await turn.poll.tick()
    stale = [reading for reading in turn.batches[-1].readings if reading.device_id == "rack-1"]
    await turn.settle()

    assert [(item.register, item.value, item.quality) for item in stale] == [
        ("LEVEL", 55, Quality.STALE),
        ("MODE", 2, Quality.STALE),
    ]


async def test_a_device_silent_for_an_hour_is_told_once_and_comes_back_once() -> None:
    """Time is moved by hand: an hour of ticks, with the back-off growing up to its cap."""
    clock, rack = StandingClock(), Rack(2)
    rack.values["rack-1", "LEVEL"] = 55
    turn = Round(rack, clock=clock, deadline=0.01)
    await turn.poll.tick()
    seen = clock.now()
    rack.faults["rack-1", "read"] = "silent"

    for _ in range(3600):
        clock.advance(1)
        await turn.poll.tick()
        await turn.settle()
    attempts = rack.asked.count(("read", "rack-1"))
    silent = [reading for reading in turn.batches[-1].readings if reading.device_id == "rack-1"]
    told = list(turn.events)
    del rack.faults["rack-1", "read"]
    for _ in range(31):
        clock.advance(1)
        await turn.poll.tick()
        await turn.settle()

    assert 100 < attempts < 140, "every 30 s at most, and not for ever less often"
    assert [(item.value, item.quality, item.timestamp) for item in silent] == [
        (55, Quality.STALE, seen),
        (0, Quality.STALE, seen),
    ]
    assert "did not answer" in silent[0].error
    assert len(told) == 1
    assert [event.message for event in turn.events[1:]] == [f"rack-1 answers again after {attempts} failures"]
    assert turn.managed["rack-1"].state is DeviceState.CONNECTED
    assert turn.values()["rack-1", "LEVEL"] == 55


async def test_a_device_that_never_answered_has_no_value_to_show() -> None:
    rack = Rack(1)
    rack.faults["rack-0"] = "refused"
    turn = Round(rack)

    await turn.poll.tick()
    await turn.settle()
    await turn.poll.tick()

    for batch in turn.batches[1:]:
        assert {(item.value, item.quality, item.error_code) for item in batch.readings} == {
            (None, Quality.BAD, "NETWORK_ERROR")
        }
        assert batch.failed == ("rack-0",)


async def test_what_a_device_says_when_it_comes_back_is_not_taken_for_unchanged() -> None:
    rack = Rack(1)
    turn = Round(rack, changes_only=True)
    await turn.poll.tick()
    rack.faults["rack-0", "read"] = "refused"
    await turn.poll.tick()
    await turn.settle()
    assert turn.managed["rack-0"].state is DeviceState.ERROR

    del rack.faults["rack-0", "read"]
    rack.values["rack-0", "LEVEL"] = 90
    turn.managed["rack-0"].retry_at = 0.0
    await turn.poll.tick()
    await turn.settle()
    rack.values["rack-0", "LEVEL"] = 0
    await turn.poll.tick()

    levels = [turn.values(index).get(("rack-0", "LEVEL")) for index in range(len(turn.batches))]
    assert levels[-2:] == [90, 0]


async def test_a_batch_that_fails_is_asked_device_by_device() -> None:
    rack = Rack(3)
    rack.faults["read_many"] = "the bus is busy"
    turn = Round(rack)

    await turn.poll.tick()
    await turn.settle()

    assert len(turn.batches[0].pending) == 3
    assert {reading.device_id for batch in turn.batches[1:] for reading in batch.readings} == set(
        turn.managed
    )


async def test_a_driver_that_takes_long_does_not_delay_another_one() -> None:
    quick, slow = Rack(2, name="quick"), Rack(2, name="slow")
    turn = Round(quick, slow, interval=0.1, deadline=5)
    gate = asyncio.Event()
    driver = turn.managed["slow-0"].driver
    answer = driver.read_many

    async def wait(wanted: Sequence[tuple[Device, Sequence[Register]]]) -> Sequence[Sequence[Answer] | None]:
        await gate.wait()
        return await answer(wanted)

    driver.read_many = wait  # type: ignore[method-assign]  # this one driver waits
    for _ in range(3):
        await turn.poll.tick()
    gate.set()
    await until(lambda: turn.batches[-1].partial)
    await turn.poll.tick()

    first, second, third, late, last = turn.batches
    assert {item.device_id for item in first.readings} == {"quick-0", "quick-1"}
    assert first.pending == ("slow-0", "slow-1")
    assert second.failed == third.failed == ("slow-0", "slow-1")
    assert {item.device_id for item in late.readings} == {"slow-0", "slow-1"}
    assert len(last.readings) == 8
    assert last.pending == last.failed == ()


async def test_the_schedule_does_not_drift_and_late_ticks_are_left_out_and_counted() -> None:
    """The clock of the schedule is moved by the poll's own publishing: 2.5 intervals at the second tick."""
    rack = Rack(1)

    class Jumping(StandingClock):
        """Real time, and what a test adds to it."""

        added = 0.0

        def monotonic(self) -> float:
            return SYSTEM.monotonic() + self.added

    clock = Jumping()
    turn = Round(rack, clock=clock, interval=0.1)
    moments: list[float] = []

    def publish(batch: Batch) -> None:
        moments.append(clock.monotonic())
        if len(moments) == 2:
            clock.added += 0.25

    turn.poll._publish = publish
    running = asyncio.create_task(turn.poll.run())
    await until(lambda: len(moments) >= 6)
    running.cancel()
    await asyncio.wait([running])

    assert turn.poll.missed_ticks >= 2
    due = [round((moment - moments[0]) / 0.1) for moment in moments]
    assert due[2] >= 4, "no burst: the two ticks that were missed were not made up for"
    assert len(set(due)) == len(due)
    drift = [(moment - moments[0]) - number * 0.1 for moment, number in zip(moments, due, strict=True)]
    assert max(drift) < 0.09


async def test_a_wall_clock_that_jumps_back_an_hour_disturbs_no_schedule() -> None:
    rack, clock = Rack(1), StandingClock()
    turn = Round(rack, clock=clock)
    await turn.poll.tick()
    before = clock.now()

    clock.set_now(before - 3600 * NANOSECONDS)
    for _ in range(3):
        clock.advance(1)
        await turn.poll.tick()

    assert [batch.sequence for batch in turn.batches] == [1, 2, 3, 4]
    assert turn.poll.missed_ticks == 0
    assert all(len(batch.readings) == 2 for batch in turn.batches)
    assert turn.batches[-1].timestamp < before


async def test_cancelling_leaves_no_task_behind() -> None:
    rack, other = Rack(3), Rack(2, name="other")
    rack.faults["rack-1", "read"] = "silent"
    turn = Round(rack, other, interval=0.05, deadline=60)
    before = asyncio.all_tasks()
    running = asyncio.create_task(turn.poll.run())
    await until(lambda: len(turn.batches) > 2)

    running.cancel()
    await asyncio.wait([running])

    assert running.cancelled()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("interval", [0.0, 0.001, -1.0, 1e9, float("nan"), float("inf")])
def test_an_interval_that_cannot_be_is_refused(interval: float) -> None:
    with pytest.raises(InvalidParameter, match="no interval of"):
        Round(Rack(1), interval=interval)
