"""The bus: bounded streams whose listeners are told what they missed."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.fleet.bus import Bus, Listener, Policy, Stream, weight
from dsmilctl.model.event import Event
from dsmilctl.model.reading import Batch, Gap, Reading


def batch(*values: int) -> Batch:
    readings = tuple(Reading("pump", "LEVEL", value, 0) for value in values)
    return Batch(values[0] if values else 0, 0, readings)


async def drained(listener: Listener[int]) -> list[int | Gap]:
    """Whatever a closed listener still has."""
    listener.close()
    return [item async for item in listener]


async def test_a_listener_hears_what_is_sent_from_now_on_in_order() -> None:
    stream: Stream[int] = Stream("numbers")
    stream.send(1)
    listener = stream.listen()
    for number in range(2, 6):
        stream.send(number)

    assert await drained(listener) == [2, 3, 4, 5]


async def test_a_listener_that_waits_is_woken_by_what_is_sent_and_ended_by_closing() -> None:
    stream: Stream[int] = Stream("numbers")
    listener = stream.listen()
    heard: list[int | Gap] = []

    async def hear() -> None:
        async for item in listener:
            heard.append(item)

    hearing = asyncio.create_task(hear())
    await asyncio.sleep(0)
    stream.send(1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert heard == [1]
    stream.close()
    await asyncio.wait_for(hearing, 5)

    assert heard == [1]


async def test_the_oldest_items_make_room_and_their_readings_are_counted() -> None:
    stream: Stream[Batch] = Stream("readings")
    listener = stream.listen(Policy.DROP_OLDEST, 2)
    for sent in (batch(1, 2, 3), batch(4), batch(5, 6), batch(7)):
        stream.send(sent)
    listener.close()

    assert [item async for item in listener] == [Gap(4), batch(5, 6), batch(7)]


async def test_the_latest_is_all_that_a_screen_gets() -> None:
    stream: Stream[int] = Stream("numbers")
    listener = stream.listen(Policy.LATEST, 100)
    for number in range(10):
        stream.send(number)

    assert await drained(listener) == [Gap(9), 9]


async def test_a_slow_listener_costs_the_others_nothing() -> None:
    stream: Stream[int] = Stream("numbers")
    slow, quick = stream.listen(size=1), stream.listen(size=100)
    for number in range(50):
        stream.send(number)

    assert await drained(quick) == list(range(50))
    assert await drained(slow) == [Gap(49), 49]


async def test_a_sender_waits_for_a_listener_that_must_not_miss_anything_and_others_hear_at_once() -> None:
    stream: Stream[int] = Stream("numbers")
    recorder, screen = stream.listen(Policy.BLOCK, 2), stream.listen(Policy.LATEST)

    async def send() -> None:
        for number in range(6):
            await stream.deliver(number)

    sending = asyncio.create_task(send())
    await asyncio.sleep(0.01)
    assert not sending.done()
    assert [await anext(screen), await anext(screen)] == [Gap(2), 2], "the third was heard while it waits"
    heard = [await anext(recorder) for _ in range(6)]
    await sending

    assert heard == list(range(6))
    assert recorder.missed == 0


async def test_a_blocking_listener_that_closes_lets_the_sender_go_on() -> None:
    stream: Stream[int] = Stream("numbers")
    recorder = stream.listen(Policy.BLOCK, 1)
    await stream.deliver(1)
    sending = asyncio.create_task(stream.deliver(2))
    await asyncio.sleep(0.01)

    recorder.close()
    await asyncio.wait_for(sending, 5)

    assert [item async for item in recorder] == [1]


async def test_a_blocking_listener_counts_what_a_sender_could_not_wait_for() -> None:
    stream: Stream[int] = Stream("numbers")
    recorder = stream.listen(Policy.BLOCK, 2)
    for number in range(5):
        stream.send(number)

    assert await drained(recorder) == [Gap(3), 3, 4]


async def test_closing_the_bus_ends_every_listener() -> None:
    bus = Bus()
    readings, events = bus.readings.listen(), bus.events.listen()
    bus.events.send(Event("device.state", "gone", 0))
    bus.close()

    assert [item async for item in readings] == []
    assert [item async for item in events] == [Event("device.state", "gone", 0)]
    bus.events.send(Event("device.state", "to nobody", 0))
    assert [item async for item in events] == []


Step = st.one_of(st.integers(1, 5).map(lambda count: ("send", count)), st.just(("take", 1)))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(Policy)), st.integers(1, 6), st.lists(Step, max_size=60), st.integers(1, 4))
def test_what_was_received_and_what_was_missed_make_up_what_was_sent(
    policy: Policy, size: int, steps: list[tuple[str, int]], readings: int
) -> None:
    async def scenario() -> None:
        stream: Stream[Batch] = Stream("readings")
        listener = stream.listen(policy, size)
        sent: list[int] = []
        got: list[int] = []
        missed = 0

        def take(item: Batch | Gap) -> None:
            nonlocal missed
            if isinstance(item, Gap):
                assert item.missed > 0
                missed += item.missed
            else:
                got.extend(int(reading.value or 0) for reading in item.readings)

        for what, count in steps:
            if what == "take":
                if listener._items:
                    take(await anext(listener))
                continue
            for _ in range(count):
                values = range(len(sent), len(sent) + readings)
                sent.extend(values)
                stream.send(batch(*values))
        listener.close()
        async for item in listener:
            take(item)
        assert len(got) + missed == len(sent)
        assert got == sorted(got)
        assert got[-readings:] == sent[-readings:], "the newest is never lost"

    asyncio.run(scenario())


@pytest.mark.parametrize(("item", "expected"), [(batch(1, 2), 2), (batch(), 0), (7, 1)])
def test_a_batch_weighs_as_much_as_it_has_readings(item: object, expected: int) -> None:
    assert weight(item) == expected
