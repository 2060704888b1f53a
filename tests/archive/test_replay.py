"""Replay: a recording is a context of its own, whose readings come as they were and which nothing changes."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.archive.database import connect
from dsmilctl.archive.places import Places
from dsmilctl.archive.playhead import Playhead
from dsmilctl.archive.replay import ReplayClient
from dsmilctl.client.interface import HistoryQuery
from dsmilctl.clock import NANOSECONDS
from dsmilctl.errors import DeviceNotFound, InvalidParameter, NotFound, ReadOnly
from dsmilctl.model.identity import Identity
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.reading import Batch, Gap, Quality, Reading
from dsmilctl.model.selector import parse_selector
from tests.archive.stand import EVENT, SECOND, START, left_hot, record, recorded, some_readings

ADA = Identity("ada", "ward")


async def replayed(client: ReplayClient, *, interval: float = 0.01) -> list[Reading]:
    """Everything that a replay brings, in order."""
    found: list[Reading] = []
    async with aclosing(client.stream(await client.devices(), interval=interval)) as source:
        async for item in source:
            assert isinstance(item, Batch)
            found += item.readings
    return found


def open_files(folder: Path) -> list[str]:
    """The files of a folder that this process holds open.  Source: proc(5)."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the look itself
            found.append(str(descriptor.readlink()))
    return [name for name in found if name.startswith(str(folder))]


async def test_every_reading_comes_as_it_was_in_the_order_in_which_it_was_taken(tmp_path: Path) -> None:
    odd = [
        Reading("pump 'x', *", "level", value, START + 7 * number, "°C", Quality.BAD, raw="00ff", error="why",
                error_code="TIMEOUT", latency_ms=1.5, sequence=9000 + number)
        for number, value in enumerate([None, True, 2**64 - 1, -3, 2.5, "text", float("inf")])
    ]  # fmt: skip
    given = [*some_readings(10_000, devices=7), *odd]
    places, _ = recorded(tmp_path, given)

    async with ReplayClient(places, "tour", ADA, speed=0) as client:
        found = await replayed(client)

    assert found == sorted(given, key=lambda item: (item.timestamp, item.sequence))


async def test_hot_readings_of_an_interrupted_recording_are_replayed_as_well(tmp_path: Path) -> None:
    places = Places(tmp_path)
    left_hot(places, some_readings(500))

    async with ReplayClient(places, "interrupted", ADA, speed=0) as client:
        assert len(await replayed(client)) == 500


async def test_only_what_lies_between_two_moments_is_played(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path, some_readings(4000))
    since, until = START + 10 * SECOND, START + 20 * SECOND

    async with ReplayClient(places, "last", ADA, speed=0, since=since, until=until) as client:
        found = await replayed(client)

    assert {item.timestamp for item in found} == set(range(since, until + 1, SECOND // 10))
    with pytest.raises(InvalidParameter, match="nothing was recorded"):
        await ReplayClient(places, "last", ADA, since=START + 10**15).open()


async def test_a_replay_takes_as_long_as_its_speed_says(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path, some_readings(84))  # 2 s

    async with ReplayClient(places, "last", ADA, speed=4) as client:
        begun = time.monotonic()
        assert len(await replayed(client)) == 84
        assert time.monotonic() - begun >= 0.45


async def test_somebody_who_jumps_gets_what_was_there(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path, some_readings(4000))
    async with ReplayClient(places, "last", ADA) as client:
        devices = await client.devices(parse_selector("0x8002"))
        async with aclosing(client.stream(devices, interval=0.01)) as source:
            first = await anext(source)
            client.playhead.seek(START + 50 * SECOND)
            async for item in source:
                assert isinstance(item, Batch)
                if item.timestamp > START + 10 * SECOND:
                    break

        assert isinstance(first, Batch)
        assert isinstance(item, Batch)
        assert first.readings[0].timestamp == START
        assert item.readings[0].timestamp == START + 50 * SECOND
        client.playhead.pause()
        client.playhead.seek(START + 30 * SECOND)
        (reading,) = await client.read(devices, ["temp"])
        assert reading.timestamp == START + 30 * SECOND


async def test_who_asks_before_it_plays_gets_the_last_values(tmp_path: Path) -> None:
    given = some_readings(400)
    places, _ = recorded(tmp_path, given)

    async with ReplayClient(places, "last", ADA) as client:
        assert await client.read(await client.devices()) == given[-4:]
        (device, *_) = await client.devices()
        assert (device.device_id, device.group != "") == (0x8000, True)
        with pytest.raises(DeviceNotFound):
            await client.devices(parse_selector("0x9999"))
        with pytest.raises(InvalidParameter):
            await client.read([device], ["TMEP"])


async def test_nothing_of_a_replay_can_be_changed_and_no_stop_is_pretended(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path, some_readings(40))
    async with ReplayClient(places, "last", ADA) as client:
        request = Request(type=OperationType.WRITE, device_id=0x8000, register="TEMP", value=1)
        with pytest.raises(ReadOnly):
            await client.change(request)
        with pytest.raises(ReadOnly):
            await client.change_many([request])
        with pytest.raises(ReadOnly):
            await client.stop()
        with pytest.raises(ReadOnly):
            await client.lifecycle("connect", await client.devices())


async def test_operations_events_and_gaps_of_a_recording_are_there(tmp_path: Path) -> None:
    places, recording = recorded(tmp_path, some_readings(400), records=[record(1), record(2)], events=[EVENT])
    connection = connect(places.database)
    connection.execute(
        "INSERT INTO gaps (session_id, timestamp, missed, reason) VALUES (?, ?, 17, 'slow')",
        (recording.recording_id, START + 2 * SECOND),
    )
    connection.close()

    async with ReplayClient(places, "last", ADA, speed=20) as client:
        assert [item.operation_id for item in await client.audit(HistoryQuery())] == ["op-2", "op-1"]
        assert len(await client.audit(HistoryQuery(limit=1))) == 1
        gaps = []
        async with aclosing(client.stream(await client.devices(), interval=0.01)) as source:
            async with aclosing(client.events()) as events:
                assert await anext(source)
                assert await anext(events) == EVENT
            async for item in source:
                gaps += [item] if isinstance(item, Gap) else []
        assert gaps == [Gap(17)]


async def test_a_replay_that_is_given_up_while_it_is_opened_leaves_no_file_open(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path, some_readings(4000))

    async with ReplayClient(places, "tour", ADA) as client:
        for milliseconds in range(0, 40, 2):
            playing = asyncio.create_task(replayed(client))
            await asyncio.sleep(milliseconds / 1000)
            playing.cancel()
            await asyncio.wait([playing])
        await asyncio.get_running_loop().shutdown_default_executor()

    assert open_files(tmp_path) == []


async def test_a_recording_that_there_is_not_is_told(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path / "a", some_readings(4))
    with pytest.raises(NotFound, match="no recording 'tuor'"):
        await ReplayClient(places, "tuor", ADA).open()
    with pytest.raises(NotFound, match="no archive"):
        await ReplayClient(Places(tmp_path / "b"), "last", ADA).open()


MOVES = st.lists(
    st.tuples(st.sampled_from(["play", "pause", "seek", "speed", "wait"]), st.floats(0, 50)), max_size=20
)


@settings(max_examples=200, deadline=None)
@given(MOVES)
def test_wherever_a_playhead_is_moved_it_stays_within_and_never_goes_back_by_itself(
    moves: list[tuple[str, float]],
) -> None:
    class Watch:
        now_is = 0.0

        def monotonic(self) -> float:
            return self.now_is

    watch = Watch()
    head = Playhead(0, 100 * NANOSECONDS, clock=watch)  # type: ignore[arg-type]  # only its watch is asked
    for move, number in moves:
        before = head.position
        match move:
            case "play":
                head.play()
                before = 0
            case "pause":
                head.pause()
                assert not head.playing
            case "seek":
                head.seek(round(number * NANOSECONDS))
                assert head.position == round(number * NANOSECONDS) or head.speed == 0
                before = head.position
            case "speed":
                head.speed = number
            case _:
                watch.now_is += number
        assert before <= head.position <= head.last


async def test_a_replay_that_stays_waits_at_its_end_for_somebody_who_goes_back(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path, some_readings(40))
    async with (
        ReplayClient(places, "last", ADA, speed=0, stay=True) as client,
        aclosing(client.stream(await client.devices(), interval=0.01)) as source,
    ):
        first = await anext(source)
        waiting = asyncio.create_task(anext(source))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        client.playhead.seek(START)
        again = await waiting

    assert isinstance(first, Batch)
    assert isinstance(again, Batch)
    assert again.readings == first.readings
