"""The threads that read what may wait: as many as needed, used again, and never in the way of an end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dsmilctl.drivers.host import HostOptions
from dsmilctl.drivers.host.workers import FEW, Workers
from tests.drivers.fake_machine import Host, laptop

MORE_THAN_ASYNCIO_HAS = 40


async def test_as_many_run_at_once_as_are_stuck() -> None:
    workers = Workers()
    barrier = threading.Barrier(MORE_THAN_ASYNCIO_HAS, timeout=20)

    met = await asyncio.gather(*(workers.start(barrier.wait) for _ in range(MORE_THAN_ASYNCIO_HAS)))

    assert sorted(met) == list(range(MORE_THAN_ASYNCIO_HAS))


async def test_one_after_the_other_they_share_a_thread() -> None:
    workers = Workers()

    used = {await workers.start(threading.get_ident) for _ in range(50)}

    assert len(used) == 1


async def test_jobs_that_need_not_wait_long_share_few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dsmilctl.drivers.host.workers.PATIENCE", 60.0)
    workers = Workers()

    used = set(await asyncio.gather(*(workers.start(threading.get_ident) for _ in range(200))))

    assert len(used) <= FEW


async def test_what_a_function_raises_reaches_who_asked() -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        await Workers().start(fail)


async def test_nobody_is_hurt_when_the_asker_has_gone() -> None:
    workers, go = Workers(), threading.Event()
    waiting = workers.start(lambda: go.wait(20))
    waiting.cancel()
    go.set()

    assert await workers.start(lambda: "next") == "next"


def test_the_program_ends_while_a_sensor_still_waits(tmp_path: Path) -> None:
    laptop(tmp_path)
    forever = tmp_path / "journalctl"
    forever.write_text("#!/bin/sh\nexec sleep 15\n")
    forever.chmod(0o755)
    script = f"""
import asyncio, time
from tests.drivers.fake_machine import Host
from dsmilctl.drivers.host import HostOptions
async def main():
    options = HostOptions(root={str(tmp_path)!r}, kernel="journal", journalctl={str(forever)!r})
    host = Host({str(tmp_path)!r}, options)
    try:
        async with asyncio.timeout(0.2):
            await host.answers("kernel")
    except TimeoutError:
        print("gave up")
    await host.driver.shutdown()
asyncio.run(main())
"""

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=12
    )

    assert done.stdout == "gave up\n"
    assert done.stderr == ""


async def test_a_fleet_of_stuck_parts_does_not_hold_up_the_others(tmp_path: Path) -> None:
    laptop(tmp_path)
    go = threading.Event()
    host = Host(tmp_path, HostOptions(root=str(tmp_path)))
    await host.discover()
    stuck = [host.driver._workers.start(lambda: go.wait(20)) for _ in range(MORE_THAN_ASYNCIO_HAS)]

    value = await asyncio.wait_for(host.value("hwmon:coretemp", "package_id_0"), 10)

    assert value == 48.0
    assert not any(waiting.done() for waiting in stuck)
    go.set()
    await asyncio.gather(*stuck)
