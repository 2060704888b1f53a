"""What is written to a simulated device stays written, through processes and kills, or it is said why not."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import random
import signal
import stat
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed
from dsmilctl.drivers.sim import SimDriver
from dsmilctl.errors import StateUnavailable
from dsmilctl.model.device import DeviceState
from tests.drivers.simulators import CONFIG, DATA, TEMP, elsewhere, one, simulator, start, values

PRELUDE = """
import asyncio, json, os, sys
from pathlib import Path
from tests.drivers.simulators import CONFIG, DATA, one, simulator, values
"""

WRITE = f"""{PRELUDE}
async def main(state, device_id, value):
    driver = simulator(Path(state))
    await driver.write(await one(driver, int(device_id)), DATA, int(value))
    await driver.shutdown()
    print("null")

asyncio.run(main(*sys.argv[1:]))
"""

WRITE_MANY = f"""{PRELUDE}
async def main(state, first, count):
    driver = simulator(Path(state))
    devices = await driver.discover()
    for device in devices[int(first) : int(first) + int(count)]:
        await driver.write(device, DATA, device.device_id)
    print("null")

asyncio.run(main(*sys.argv[1:]))
"""

WRITE_FOREVER = f"""{PRELUDE}
async def main(state):
    driver = simulator(Path(state), devices=500)
    devices = await driver.discover()
    for value in range(1_000_000):
        await asyncio.gather(*(driver.write(device, DATA, value) for device in devices))
        print(value, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""

STOP_AND_COUNT_RENAMES = f"""{PRELUDE}
renames = []
sys.addaudithook(lambda event, arguments: event == "os.rename" and renames.append(arguments))

async def main(state):
    driver = simulator(Path(state), devices=10_000)
    devices = await driver.discover()
    await driver.safe_many(devices)
    stop = len(renames)
    await asyncio.gather(*(driver.write(device, DATA, 1) for device in devices))
    print(json.dumps([stop, len(renames)]))

asyncio.run(main(*sys.argv[1:]))
"""

WRITE_TO_A_FULL_DISK = f"""{PRELUDE}
import resource, signal
from dsmilctl.errors import StateUnavailable

async def main(state):
    driver = simulator(Path(state))
    device = await one(driver)
    await driver.write(device, DATA, 1)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, resource.RLIM_INFINITY))
    try:
        await driver.write(device, DATA, 2)
    except StateUnavailable as error:
        problem = error.message
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    during = await values(driver, device, "DATA")
    await driver.write(device, DATA, 3)
    print(json.dumps([problem, during, await values(driver, device, "DATA")]))

asyncio.run(main(*sys.argv[1:]))
"""


def file(state: Path) -> Path:
    return state / "sim.json"


async def data_of(driver: SimDriver, device_id: int = 0x8000) -> int:
    (value,) = await values(driver, await one(driver, device_id), "DATA")
    return int(value)


async def test_what_was_written_is_still_there_for_the_next_process(tmp_path: Path) -> None:
    elsewhere(WRITE, tmp_path, 0x8000, 42)

    assert await data_of(simulator(tmp_path)) == 42


async def test_a_driver_that_is_open_sees_at_once_what_another_process_writes(tmp_path: Path) -> None:
    driver = simulator(tmp_path)
    before = await data_of(driver)

    elsewhere(WRITE, tmp_path, 0x8000, 42)

    assert (before == 42, await data_of(driver)) == (False, 42)


async def test_a_driver_keeps_what_another_process_wrote_when_it_writes_itself(tmp_path: Path) -> None:
    driver = simulator(tmp_path)
    await driver.write(await one(driver), DATA, 1)

    elsewhere(WRITE, tmp_path, 0x8001, 2)
    await driver.write(await one(driver), CONFIG, 3)

    fresh = simulator(tmp_path)
    assert [await data_of(fresh, number) for number in (0x8000, 0x8001)] == [1, 2]
    assert await values(driver, await one(driver, 0x8001), "DATA") == [2]


async def test_four_processes_write_at_once_and_lose_nothing(tmp_path: Path) -> None:
    writers = [start(WRITE_MANY, tmp_path, first, 20) for first in (0, 20, 40, 60)]
    assert [writer.communicate(timeout=60)[0] for writer in writers] == ["null\n"] * 4

    fresh = simulator(tmp_path)
    for device in (await fresh.discover())[:80]:
        assert await values(fresh, device, "DATA") == [device.device_id]


async def test_a_kill_at_any_moment_leaves_the_last_file_whole(tmp_path: Path) -> None:
    chance = random.Random(20260921)
    for _ in range(8):
        writer = start(WRITE_FOREVER, tmp_path)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
        time.sleep(chance.uniform(0.0, 0.2))
        writer.send_signal(signal.SIGKILL)
        acknowledged = [0, *(int(line) for line in writer.communicate()[0].splitlines())]

        kept = {item["data"] for item in json.loads(file(tmp_path).read_bytes())["devices"].values()}
        assert len(kept) == 1, "all 500 writes of a tick are there or none"
        assert kept.pop() - acknowledged[-1] in (0, 1)
        await data_of(simulator(tmp_path))


def test_a_stop_of_ten_thousand_devices_is_one_write_of_the_file_and_so_are_writes_of_one_tick(
    tmp_path: Path,
) -> None:
    assert elsewhere(STOP_AND_COUNT_RENAMES, tmp_path) == [1, 2]


async def test_reading_alone_makes_no_file(tmp_path: Path) -> None:
    driver = simulator(tmp_path / "state")

    await data_of(driver)
    await driver.shutdown()

    assert list(tmp_path.iterdir()) == []


async def test_the_file_is_for_nobody_else(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    driver = simulator(state)

    await driver.write(await one(driver), DATA, 1)

    assert stat.S_IMODE(file(state).stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert sorted(path.name for path in state.iterdir()) == ["sim.json", "sim.lock"]


async def test_forgetting_says_how_many_devices_kept_something_and_every_driver_sees_it(
    tmp_path: Path,
) -> None:
    driver, other = simulator(tmp_path), simulator(tmp_path)
    before = await data_of(driver)
    for number in (0x8000, 0x8001):
        await driver.write(await one(driver, number), DATA, 7)
    seen = await data_of(other)

    forgotten = [await other.forget(), await other.forget()]

    assert (seen, forgotten) == (7, [2, 0])
    assert await data_of(driver) == await data_of(other) == before
    assert not file(tmp_path).exists()


DAMAGED = [
    b"",
    b"{",
    b"\xff\xfe\x00",
    b"null",
    b'{"version": 1}',
    b'{"version": 2, "devices": {}}',
    b'{"version": 1, "devices": {"0x8000": {}}}',
    b'{"version": 1, "devices": {"32768": {"config": -1}}}',
    b'{"version": 1, "devices": {"32768": {"data": 4294967296}}}',
    b'{"version": 1, "devices": {"32768": {"settings": {"a": null}}}}',
]


@pytest.mark.parametrize("content", DAMAGED)
async def test_a_damaged_file_stops_no_read_refuses_every_write_and_is_never_overwritten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    pristine = await data_of(simulator(tmp_path))
    file(tmp_path).write_bytes(content)
    driver = simulator(tmp_path)

    with caplog.at_level(logging.WARNING):
        shown = [await data_of(driver) for _ in range(3)]
        with pytest.raises(StateUnavailable, match="cannot be read") as refusal:
            await driver.write(await one(driver), DATA, 7)

    assert shown == [pristine] * 3
    assert "sim reset" in refusal.value.hint
    assert file(tmp_path).read_bytes() == content
    assert caplog.text.count("the devices show their defaults") == 1, "said once, not at every read"


async def test_forgetting_puts_a_damaged_file_aside_and_writing_goes_on(tmp_path: Path) -> None:
    file(tmp_path).write_bytes(b"precious")
    driver = simulator(tmp_path)

    assert await driver.forget() == 0
    await driver.write(await one(driver), DATA, 7)

    assert await data_of(simulator(tmp_path)) == 7
    (aside,) = tmp_path.glob("sim.json.unreadable-*")
    assert aside.read_bytes() == b"precious"


async def test_a_refused_write_leaves_the_device_healthy(tmp_path: Path) -> None:
    file(tmp_path).write_bytes(b"{")
    driver = simulator(tmp_path)
    managed = Managed(await one(driver), driver, 0)

    with pytest.raises(StateUnavailable):
        await Lifecycle().apply_write(managed, DATA, 7)

    assert managed.state is DeviceState.CONNECTED


async def test_a_state_folder_that_cannot_be_made_refuses_writes_and_no_reads(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    driver = simulator(tmp_path / "state")

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await data_of(driver)
    assert caplog.text.count("the devices show their defaults") == 1
    with pytest.raises(StateUnavailable, match="cannot be written"):
        await driver.write(await one(driver), DATA, 7)
    with pytest.raises(StateUnavailable):
        await driver.safe_many(await driver.discover())


def test_a_full_disk_refuses_the_write_and_the_device_stays_as_it_was(tmp_path: Path) -> None:
    problem, during, after = elsewhere(WRITE_TO_A_FULL_DISK, tmp_path)

    assert "cannot be written" in problem
    assert (during, after) == ([1], [3])


async def test_a_process_that_holds_the_file_for_ever_refuses_writes_after_a_second_and_no_reads(
    tmp_path: Path,
) -> None:
    driver = simulator(tmp_path)
    holder = os.open(tmp_path / "sim.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(holder, fcntl.LOCK_EX)
    try:
        writing = asyncio.create_task(driver.write(await one(driver), DATA, 7))
        await asyncio.sleep(0.05)
        assert await driver.read(await one(driver), [TEMP]), "the loop goes on meanwhile"
        with pytest.raises(StateUnavailable, match="another process holds"):
            await writing
    finally:
        os.close(holder)

    await driver.write(await one(driver), DATA, 7)
    assert await data_of(driver) == 7


async def test_a_write_whose_waiter_was_cut_off_is_finished_before_the_driver_shuts_down(
    tmp_path: Path,
) -> None:
    driver = simulator(tmp_path)
    device = await one(driver)

    writing = asyncio.create_task(driver.write(device, DATA, 7))
    await asyncio.sleep(0)
    writing.cancel()
    await driver.shutdown()

    assert await data_of(simulator(tmp_path)) == 7
    assert await data_of(driver) == 7


async def test_a_driver_goes_on_after_it_was_shut_down(tmp_path: Path) -> None:
    driver = simulator(tmp_path, wire_log=str(tmp_path / "wire"))
    await driver.write(await one(driver), DATA, 1)
    await driver.shutdown()

    await driver.write(await one(driver), DATA, 2)
    await driver.shutdown()

    assert await data_of(driver) == 2
    assert len((tmp_path / "wire").read_text().splitlines()) == 2


async def test_the_wire_log_has_one_line_per_change_that_reached_a_device(tmp_path: Path) -> None:
    wire = tmp_path / "wire"
    driver = simulator(tmp_path, wire_log=str(wire), faults=("disconnect:0x8002",))
    first, second, lost, *_ = await driver.discover()

    await driver.write(first, DATA, 5)
    await driver.command(first, "configure", {"mode": "very eco"})
    await driver.reset(second)
    await driver.safe_many([first, second, lost])
    await driver.safe_state(first)
    with pytest.raises(ConnectionError):
        await driver.write(lost, DATA, 5)
    await driver.command(first, "identify", {})

    lines = [line.split(" ", 4) for line in wire.read_text().splitlines()]
    now, pid = str(driver.context.clock.now()), str(os.getpid())
    assert [line[:2] for line in lines] == [[now, pid]] * len(lines)
    assert [tuple(line[2:]) for line in lines] == [
        ("0x8000", "DATA", "5"),
        ("0x8000", "configure", '{"mode":"very eco"}'),
        ("0x8001", "reset", "{}"),
        ("0x8000", "CONFIG", "2147483648"),
        ("0x8001", "CONFIG", "2147483648"),
        ("0x8000", "DATA", "0"),
        ("0x8001", "DATA", "0"),
        ("0x8000", "CONFIG", "2147483648"),
        ("0x8000", "DATA", "0"),
    ]


words = st.integers(0, 2**32 - 1)
orders = st.one_of(
    st.tuples(st.just("CONFIG"), words),
    st.tuples(st.just("DATA"), words),
    st.tuples(st.sampled_from(["activate", "deactivate", "reset", "stop", "reopen"]), st.just(0)),
    st.tuples(
        st.just("configure"),
        st.dictionaries(st.text(max_size=5), words | st.text(max_size=5), max_size=3),
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(orders, max_size=8))
async def test_after_any_orders_a_fresh_driver_shows_what_the_old_one_did(
    tmp_path: Path, given_orders: list[tuple[str, int | dict[str, int | str]]]
) -> None:
    driver = simulator(tmp_path)
    await driver.forget()
    device = await one(driver)
    for name, argument in given_orders:
        if name in ("CONFIG", "DATA") and isinstance(argument, int):
            await driver.write(device, CONFIG if name == "CONFIG" else DATA, argument)
        elif name == "stop":
            await driver.safe_state(device)
        elif name == "reopen":
            await driver.shutdown()
            driver = simulator(tmp_path)
        else:
            await driver.command(device, name, argument if isinstance(argument, dict) else {})
    shown = await values(driver, device)
    await driver.shutdown()

    fresh = simulator(tmp_path)
    assert await values(fresh, device) == shown
    assert await one(fresh) == await one(driver)
