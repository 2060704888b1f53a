"""Holds: whoever changes a device has it alone, also among processes, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.errors import StateUnavailable
from dsmilctl.guard.holds import Holds, _place, in_order
from dsmilctl.model.device import DeviceId
from tests.unit.homes import plain_user

HOLDER = """
import asyncio, pathlib, sys
from dsmilctl.guard.holds import Holds
async def main():
    print(await Holds(pathlib.Path(sys.argv[1])).take([int(item) for item in sys.argv[2:]], 1.0), flush=True)
    sys.stdin.read()
asyncio.run(main())
"""


async def test_a_device_that_is_held_is_left_out_and_free_when_it_was_let_go(tmp_path: Path) -> None:
    one, other = Holds(tmp_path / "lock"), Holds(tmp_path / "lock")

    assert await one.take([1, 2], 0.1) == {1, 2}
    assert await other.take([2, 3], 0.05) == {3}
    one.release([2])
    assert await other.take([2], 0.05) == {2}
    assert await one.take([1], 0.01) == set(), "the same client does not take it twice"


async def test_a_file_that_may_not_be_opened_is_no_device_that_somebody_else_holds(tmp_path: Path) -> None:
    (tmp_path / "holds").mkdir(mode=0o500)

    with plain_user(), pytest.raises(StateUnavailable, match="Permission denied"):
        await Holds(tmp_path / "holds" / "lock").take([1], 0.05)


async def test_those_who_wait_in_one_process_come_in_their_order(tmp_path: Path) -> None:
    holds = Holds(tmp_path / "lock")
    order: list[int] = []

    async def change(number: int) -> None:
        held = await holds.take(["pump"], 5)
        order.append(number)
        await asyncio.sleep(0)
        holds.release(held)

    await asyncio.gather(*(change(number) for number in range(50)))

    assert order == list(range(50))


async def test_a_process_that_is_killed_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDER, str(path), "7", "8"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert b"7" in holder.stdout.readline()
        holds = Holds(path)
        assert await holds.take([7, 9], 0.05) == {9}
        waiting = asyncio.create_task(holds.take([8], 30))
        await asyncio.sleep(0.05)
        holder.kill()

        assert await waiting == {8}


async def test_one_that_gives_up_waiting_leaves_no_trace(tmp_path: Path) -> None:
    one, other = Holds(tmp_path / "lock"), Holds(tmp_path / "lock")
    held = await one.take([1], 1)

    waiting = asyncio.create_task(other.take([0, 1], 60))
    await asyncio.sleep(0.02)
    waiting.cancel()
    await asyncio.wait([waiting])
    one.release(held)

    assert await one.take([0, 1], 0.05) == {0, 1}


async def test_without_a_place_for_the_lock_nothing_can_be_held(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StateUnavailable, match="cannot be held"):
        await Holds(tmp_path / "file" / "lock").take([1], 0.1)


async def test_without_a_file_one_process_still_takes_turns() -> None:
    holds = Holds(None)

    assert await holds.take([1], 0.1) == {1}
    assert await holds.take([1], 0.01) == set()
    holds.release([1])
    assert await holds.take([1], 0.1) == {1}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from([*range(6), "a", "b", "c"]), unique=True), min_size=2, max_size=8))
def test_two_bulks_never_wait_for_each_other_and_no_device_has_two_owners(
    tmp_path_factory: pytest.TempPathFactory, bulks: list[list[int | str]]
) -> None:
    path = tmp_path_factory.mktemp("holds") / "lock"
    owners: dict[int | str, int] = {}

    async def change(holds: Holds, wanted: list[int | str]) -> None:
        held = await holds.take(wanted, 10)
        assert held == set(wanted)
        for device_id in held:
            assert owners.setdefault(device_id, 0) == 0
            owners[device_id] += 1
        await asyncio.sleep(0)
        for device_id in held:
            owners[device_id] -= 1
        holds.release(held)

    async def all_of_them() -> None:
        processes = [Holds(path), Holds(path)]
        await asyncio.gather(*(change(processes[number % 2], bulk) for number, bulk in enumerate(bulks)))

    asyncio.run(all_of_them())


def crowded(count: int = 200) -> list[DeviceId]:
    """Numbers, names that look like numbers, and so many names that some of them share a place."""
    return [*range(0x8000, 0x8008), *(str(number) for number in range(0x8000, 0x8008)), *names(count)]


def names(count: int) -> list[str]:
    return [f"boiler-{number}" for number in range(count)]


def test_devices_are_taken_in_one_order_however_they_are_named_and_in_whatever_order() -> None:
    agreed = in_order(crowded())

    assert len({_place(name) for name in names(200)}) < 200, "some names share a place"
    assert all(in_order(random.sample(crowded(), k=len(crowded()))) == agreed for _ in range(20))
    assert agreed[:8] == list(range(0x8000, 0x8008)), "numbers come before names"


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_every_process_takes_devices_in_the_same_order(seed: str) -> None:
    program = (
        "from dsmilctl.guard.holds import in_order\n"
        "from tests.unit.test_guard_holds import crowded\n"
        "print(in_order(crowded()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": seed},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stdout.strip() == str(in_order(crowded()))
