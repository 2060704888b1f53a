"""The host driver's processors, memory, load, processes, disks and network on a made-up machine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from dsmilctl.drivers.host import HostOptions
from dsmilctl.drivers.host.processor import sample, usage
from dsmilctl.errors import DSMILError, HardwareError
from tests.drivers.fake_machine import DISKSTATS, LATER, MOUNTINFO, NET, STAT, FakeMachine, Host, laptop


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return laptop(tmp_path / "machine")


@pytest.fixture
def host(machine: FakeMachine) -> Host:
    return Host(machine.root)


async def test_the_load_is_what_the_kernel_says(host: Host) -> None:
    assert await host.answers("load") == {"load1": 0.58, "load5": 0.22, "load15": 0.13}
    assert host.devices["load"].default_register == "load1"


async def test_a_load_that_is_cut_short_leaves_what_is_there(machine: FakeMachine, host: Host) -> None:
    machine.write("proc/loadavg", "0.58 nan")

    answers = await host.answers("load")

    assert answers["load1"] == 0.58
    assert isinstance(answers["load5"], HardwareError)
    assert isinstance(answers["load15"], HardwareError)


async def test_the_first_usage_is_measured_over_a_short_window(machine: FakeMachine, host: Host) -> None:
    await host.discover()
    first = asyncio.create_task(host.answers("cpu"))
    await asyncio.sleep(0.02)
    machine.write("proc/stat", LATER)

    answers = await first

    assert answers == {
        "usage": 45.0,
        "busiest": 100.0 * 90 / 90,
        "user": 30.0,
        "system": 15.0,
        "iowait": 5.0,
        "steal": 0.0,
        "count": 2,
        "context_switches": 655000,
        "interrupts": 123999,
        "frequency": 2000.0,
        "core_throttles": 1,
        "package_throttles": 7,
        "temperature": 48.0,
    }
    assert host.register("cpu", "temperature").high == 100.0


async def test_the_next_usage_is_that_since_the_reading_before_and_waits_for_nothing(
    machine: FakeMachine, host: Host
) -> None:
    await host.discover()
    cpu = host.devices["cpu"]
    wanted = [(cpu, [host.register("cpu", "usage")])]
    assert await host.driver.read_many(wanted) == [None]  # it has to wait, so it is asked on its own
    machine.write("proc/stat", LATER)
    assert await host.value("cpu", "usage") == 45.0

    machine.write("proc/stat", LATER.replace("cpu  1060 100 520 8100", "cpu  1360 100 520 8200"))
    soon = await host.driver.read_many(wanted)
    await asyncio.sleep(0.11)
    later = await host.driver.read_many(wanted)

    assert soon == [[45.0]]  # within the window nothing new can be told
    assert later == [[75.0]]


async def test_a_new_discovery_does_not_forget_when_the_usage_was_read_last(
    machine: FakeMachine, host: Host
) -> None:
    reading = asyncio.create_task(host.answers("cpu", "usage"))
    await asyncio.sleep(0.02)
    machine.write("proc/stat", LATER)
    await reading

    await host.discover()
    answers = await host.driver.read_many([(host.devices["cpu"], [host.register("cpu", "usage")])])

    assert answers != [None]


async def test_counters_of_the_processor_wait_for_nothing(host: Host) -> None:
    await host.discover()
    cpu = host.devices["cpu"]

    answers = await host.driver.read_many([(cpu, [host.register("cpu", "interrupts")])])

    assert answers == [[123456]]


async def test_a_clock_of_the_processor_that_stands_still_is_an_error_and_not_a_zero(host: Host) -> None:
    error = await host.error("cpu", "usage")

    assert "did not move" in error.message


async def test_counters_that_run_backwards_give_a_share_between_nothing_and_all() -> None:
    shares = usage(sample(LATER), sample(STAT.replace("8000", "9000")))

    assert shares["usage"] == 0.0


async def test_a_processor_without_clock_or_heat_has_no_registers_for_them(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    machine.write("proc/stat", STAT)
    host = Host(tmp_path)

    await host.discover()

    names = {register.name for register in host.devices["cpu"].registers}
    assert not names & {"frequency", "core_throttles", "package_throttles", "temperature"}


async def test_memory_is_told_in_bytes_with_what_follows_from_it(host: Host) -> None:
    kib = 1024
    assert await host.answers("memory") == {
        "used_percent": 25.0,
        "used": 2_000_000 * kib,
        "total": 8_000_000 * kib,
        "available": 6_000_000 * kib,
        "free": 1_000_000 * kib,
        "buffers": 100_000 * kib,
        "cached": 4_000_000 * kib,
        "swap_total": 2_000_000 * kib,
        "swap_free": 1_500_000 * kib,
        "swap_used": 500_000 * kib,
    }


async def test_a_missing_field_of_memory_is_an_error_of_what_needs_it(
    machine: FakeMachine, host: Host
) -> None:
    machine.write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 10 kB\nCached: 5 MB\n")

    answers = await host.answers("memory")

    good = {name: answer for name, answer in answers.items() if not isinstance(answer, DSMILError)}
    assert good == {"total": 1_024_000, "free": 10_240}
    cached = answers["cached"]
    assert isinstance(cached, HardwareError)
    assert "not in kB" in cached.message


async def test_processes_are_counted(host: Host) -> None:
    assert await host.answers("processes") == {
        "count": 2,
        "threads": 91,
        "running": 3,
        "blocked": 1,
        "created": 4242,
        "uptime": 1191.54,
    }


async def test_each_local_filesystem_is_one_disk_and_servers_and_images_are_none(host: Host) -> None:
    devices = await host.discover()

    disks = [device_id for device_id in devices if str(device_id).startswith("disk:")]
    assert disks == ["disk:/", "disk:/home", "disk:/mnt/my_data", "disk:sda"]
    assert devices["disk:/mnt/my_data"].name == "/mnt/my data"
    assert dict(devices["disk:/home"].facts)["source"] == "/dev/sda2"
    assert dict(devices["disk:sda"].facts)["model"] == "MADE UP DISK"


async def test_the_space_of_a_filesystem_is_what_the_system_tells(machine: FakeMachine, host: Host) -> None:
    answers = await host.answers("disk:/", "total", "used_percent")

    told = os.statvfs(machine.root)
    assert answers["total"] == told.f_blocks * told.f_frsize
    assert isinstance(answers["used_percent"], float)
    assert 0 <= answers["used_percent"] <= 100


async def test_the_traffic_of_a_filesystem_is_that_of_its_disk(host: Host) -> None:
    names = ("reads", "read_bytes", "writes", "written_bytes", "underway", "busy_time")

    assert await host.answers("disk:/home", *names) == {
        "reads": 10,
        "read_bytes": 200 * 512,
        "writes": 50,
        "written_bytes": 1000 * 512,
        "underway": 1,
        "busy_time": 10,
    }
    assert await host.value("disk:sda", "reads") == 100
    assert await host.value("disk:/mnt/my_data", "reads") == 7  # btrfs: by the name of its source


async def test_an_unmounted_filesystem_is_gone_although_its_folder_remains(
    machine: FakeMachine, host: Host
) -> None:
    await host.discover()
    machine.write("proc/self/mountinfo", "".join(MOUNTINFO.splitlines(keepends=True)[:2]))

    with pytest.raises(HardwareError, match="disk:/home is gone"):
        await host.answers("disk:/home")


async def test_a_disk_that_lost_its_counters_still_tells_its_space(machine: FakeMachine, host: Host) -> None:
    machine.write("proc/diskstats", DISKSTATS.replace("8       2", "8      99"))

    answers = await host.answers("disk:/home", "total", "reads")

    assert isinstance(answers["total"], int)
    assert isinstance(answers["reads"], HardwareError)
    assert "nothing of device 8:2" in answers["reads"].message


async def test_the_newest_mount_hides_the_one_below_it(machine: FakeMachine, host: Host) -> None:
    machine.write("proc/self/mountinfo", f"{MOUNTINFO}40 28 8:17 / /home rw - ext4 /dev/sdb1 rw\n")

    devices = await host.discover()

    assert dict(devices["disk:/home"].facts)["source"] == "/dev/sdb1"


async def test_an_interface_tells_its_counters_and_its_link(host: Host) -> None:
    assert await host.answers("net:eth0") == {
        "rx_bytes": 94684583,
        "tx_bytes": 172005,
        "rx_packets": 2581,
        "tx_packets": 1439,
        "rx_errors": 1,
        "tx_errors": 3,
        "rx_drops": 2,
        "tx_drops": 4,
        "multicast": 17,
        "collisions": 5,
        "state": "up",
        "carrier": True,
        "speed": 1000,
    }


async def test_an_interface_without_a_device_has_no_cable_and_no_speed(host: Host) -> None:
    await host.discover()

    names = {register.name for register in host.devices["net:lo"].registers}
    assert "state" in names
    assert not names & {"carrier", "speed"}


async def test_a_speed_that_the_interface_does_not_know_is_an_error(machine: FakeMachine, host: Host) -> None:
    machine.write("sys/class/net/eth0/speed", "-1\n")

    answers = await host.answers("net:eth0", "speed", "carrier")

    assert answers["carrier"] is True
    assert isinstance(answers["speed"], HardwareError)
    assert "does not know its speed" in answers["speed"].message


async def test_an_interface_that_went_away_is_gone(machine: FakeMachine, host: Host) -> None:
    await host.discover()
    machine.write("proc/net/dev", "\n".join(NET.splitlines()[:3]))
    eth0 = host.devices["net:eth0"]

    with pytest.raises(HardwareError, match="net:eth0 is gone"):
        await host.answers("net:eth0", "rx_bytes")
    assert await host.driver.read_many([(eth0, eth0.registers)]) == [None]
    assert await host.value("net:lo", "rx_bytes") == 3193


async def test_without_the_kernels_files_psutil_tells_the_same(tmp_path: Path) -> None:
    files, other = Host(tmp_path, HostOptions()), Host(tmp_path, HostOptions(source="psutil"))
    await files.discover()
    await other.discover()

    assert await other.value("memory", "total") == await files.value("memory", "total")
    assert await other.value("disk:/", "total") == await files.value("disk:/", "total")
    memory = await other.answers("memory", "total", "available", "used")
    assert memory["used"] == int(str(memory["total"])) - int(str(memory["available"]))
    uptime, known = await other.value("processes", "uptime"), await files.value("processes", "uptime")
    assert isinstance(uptime, float)
    assert isinstance(known, float)
    assert abs(uptime - known) < 5
    before = await files.value("net:lo", "rx_bytes")
    told = await other.value("net:lo", "rx_bytes")
    assert isinstance(before, int)
    assert isinstance(told, int)
    assert before <= told


async def test_every_register_that_psutil_serves_has_a_value(tmp_path: Path) -> None:
    host = Host(tmp_path, HostOptions(source="psutil"))
    await host.discover()

    for kind in ("cpu", "memory", "load", "processes", "disk:/", "net:lo"):
        answers = await host.answers(kind)
        assert answers
        assert not [answer for answer in answers.values() if isinstance(answer, DSMILError)]
