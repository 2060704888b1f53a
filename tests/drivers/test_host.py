"""The host driver as a whole: what it finds, what it says is absent, and that it tells the truth."""

from __future__ import annotations

import contextlib
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.drivers.contract import Capability, DriverContext
from dsmilctl.drivers.host import HostDriver, HostOptions
from dsmilctl.drivers.host.machine import Absent, Machine
from dsmilctl.drivers.host.part import Part, fits
from dsmilctl.drivers.host.rooms import rooms
from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DeviceNotFound, DSMILError
from dsmilctl.model.device import Device, DeviceState
from dsmilctl.model.register import Register
from dsmilctl.model.selector import parse_selector
from dsmilctl.testing.conformance import DriverConformance
from tests.drivers.fake_machine import FakeMachine, Host, laptop

KINDS = {"cpu", "memory", "load", "processes", "disk", "net", "hwmon", "thermal", "fan", "cooling", "kernel",
         "tokens"}  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return laptop(tmp_path / "machine")


@pytest.fixture
def host(machine: FakeMachine) -> Host:
    return Host(machine.root)


async def test_a_laptop_has_something_of_everything(host: Host) -> None:
    devices = await host.discover()

    assert list(devices) == [
        "cpu", "memory", "load", "processes", "disk:/", "disk:/home", "disk:/mnt/my_data", "disk:sda",
        "net:lo", "net:eth0", "hwmon:coretemp", "hwmon:nct6775", "thermal:acpitz", "thermal:x86_pkg_temp",
        "fan:Processor_Fan", "fan:nct6775-fan2", "cooling", "kernel", "tokens",
    ]  # fmt: skip
    assert await host.driver.absent() == {}


async def test_every_register_of_a_healthy_laptop_has_a_value_of_its_type(host: Host) -> None:
    devices = await host.discover()

    for device in devices.values():
        for register, answer in zip(
            device.registers, await host.driver.read(device, device.registers), strict=True
        ):
            standing_still = "did not move" in str(answer)  # a file has no time of its own
            assert fits(register, answer) or standing_still, (device.device_id, register.name, answer)


async def test_an_empty_machine_has_no_devices_and_a_reason_for_each_kind(tmp_path: Path) -> None:
    driver = HostDriver(HostOptions(root=str(tmp_path)), DriverContext(tmp_path))

    assert await driver.discover() == []

    absent = await driver.absent()
    assert set(absent) == KINDS
    assert all(str(tmp_path) in reason for reason in absent.values())
    assert absent["hwmon"] == f"{tmp_path}/sys/class/hwmon does not exist"


async def test_an_empty_folder_of_sensors_is_told_from_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "sys/class/hwmon").mkdir(parents=True)
    FakeMachine(tmp_path).chip(0, "quiet", {"update_interval": "1000"})
    (tmp_path / "sys/class/thermal").mkdir(parents=True)
    driver = HostDriver(HostOptions(root=str(tmp_path)), DriverContext(tmp_path))

    absent = await driver.absent()

    assert absent["hwmon"] == f"{tmp_path}/sys/class/hwmon holds no sensor chip"
    assert absent["thermal"] == f"{tmp_path}/sys/class/thermal is empty"


async def test_every_device_is_well_described(host: Host) -> None:
    for device in (await host.discover()).values():
        names = [register.name.casefold() for register in device.registers]
        assert len(set(names)) == len(names)
        assert device.default_register in names
        assert set(device.key_registers) <= set(names)
        assert device.driver == "host"
        for register in device.registers:
            assert not register.writable
            assert register.description
            assert register.low is None or register.high is None or register.low < register.high
            if device.device_id != "tokens":
                assert device.registers[register.address] is register


async def test_every_id_can_be_selected_without_quoting(host: Host) -> None:
    for device_id in await host.discover():
        assert re.fullmatch(r"[\w./:+-]+", str(device_id))
        assert parse_selector(str(device_id)).ids == (device_id,)


async def test_two_discoveries_in_a_row_agree(host: Host) -> None:
    assert list((await host.discover()).values()) == list((await host.discover()).values())


async def test_reading_without_a_discovery_before_it_discovers_first(
    machine: FakeMachine, host: Host
) -> None:
    await host.discover()
    fresh = HostDriver(HostOptions(root=str(machine.root)), DriverContext(machine.root))

    answers = await fresh.read(host.devices["load"], host.devices["load"].registers)

    assert answers == [0.58, 0.22, 0.13]


async def test_a_device_that_this_machine_does_not_have_is_not_found(host: Host) -> None:
    with pytest.raises(DeviceNotFound, match="no hwmon:none"):
        await host.driver.read(Device("hwmon:none", "none", "host"), ())


async def test_parts_that_may_wait_are_asked_on_their_own(host: Host) -> None:
    devices = list((await host.discover()).values())

    answers = await host.driver.read_many([(device, device.registers[-1:]) for device in devices])

    at_once = {
        device.device_id for device, answer in zip(devices, answers, strict=True) if answer is not None
    }
    assert at_once == {"cpu", "memory", "load", "processes", "net:lo", "net:eth0"}


async def test_the_lifecycle_reads_every_part_and_a_vanished_one_goes_to_error(
    machine: FakeMachine, host: Host
) -> None:
    devices = await host.discover()
    lifecycle = Lifecycle()
    fleet = [Managed(device, host.driver, 0) for device in devices.values()]
    wanted = [(managed, managed.device.registers[-1:]) for managed in fleet]
    assert all(reading.good for readings in await lifecycle.read_many(wanted) for reading in readings)

    (machine.root / "sys/class/hwmon/hwmon3").resolve().rename(machine.root / "elsewhere")
    await lifecycle.read_many(wanted)

    states = {managed.device.device_id: managed.state for managed in fleet}
    assert states.pop("hwmon:coretemp") is DeviceState.ERROR
    assert set(states.values()) == {DeviceState.CONNECTED}


async def test_nothing_here_can_be_steered(host: Host) -> None:
    devices = list((await host.discover()).values())

    assert HostDriver.capabilities == {Capability.DISCOVER, Capability.READ, Capability.BATCH}
    assert await host.driver.safe_many(devices) == [True] * len(devices)


@pytest.mark.parametrize(
    ("kind", "good", "wrong"),
    [
        ("u8", (0, 255), (-1, 256, 1.0, True, "1", None)),
        ("i64", (-(2**63), 2**63 - 1), (2**63, 0.5, False, "0", None)),
        ("f64", (0.0, -1.5), (1, math.nan, math.inf, True, "1.0", None)),
        ("bool", (True, False), (1, 0.0, "true", None)),
        ("str", ("", "text"), (1, 1.0, True, None)),
    ],
)
def test_only_values_of_its_type_fit_a_register(
    kind: str, good: tuple[object, ...], wrong: tuple[object, ...]
) -> None:
    register = Register("x", type=kind)

    assert all(fits(register, value) for value in good)
    assert not any(fits(register, value) for value in wrong)


class TestLaptop(DriverConformance):
    driver_class = HostDriver
    most_devices = 50

    @pytest.fixture
    def driver_options(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"root": str(laptop(tmp_path / "machine").root)}


class TestThisMachine(DriverConformance):
    driver_class = HostDriver
    most_devices = 50


class TestThisMachineByPsutil(DriverConformance):
    driver_class = HostDriver
    options: ClassVar[Mapping[str, Any]] = {"source": "psutil"}
    most_devices = 50


def test_an_option_that_does_not_exist_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="rooot"):
        msgspec.convert({"rooot": "/"}, HostOptions)
    with pytest.raises(msgspec.ValidationError, match="Invalid enum value"):
        msgspec.convert({"source": "guess"}, HostOptions)


MACHINE_FILES = [
    "proc/stat", "proc/meminfo", "proc/loadavg", "proc/uptime", "proc/cpuinfo", "proc/net/dev",
    "proc/self/mountinfo", "proc/filesystems", "proc/diskstats", "dev/kmsg", "sys/block/sda/dev",
    "sys/block/sda/size", "sys/block/sda/device/model", "sys/class/block/sdb1/dev",
    "sys/class/net/eth0/speed", "sys/class/net/eth0/carrier", "sys/class/net/eth0/operstate",
    "sys/class/hwmon/hwmon3/name", "sys/class/hwmon/hwmon3/temp1_input",
    "sys/class/hwmon/hwmon3/temp1_label", "sys/class/hwmon/hwmon3/temp1_max",
    "sys/class/hwmon/hwmon3/temp1_crit_alarm", "sys/class/hwmon/hwmon5/fan1_input",
    "sys/class/hwmon/hwmon5/fan1_label", "sys/class/hwmon/hwmon5/pwm1",
    "sys/class/thermal/thermal_zone0/type", "sys/class/thermal/thermal_zone0/temp",
    "sys/class/thermal/thermal_zone0/trip_point_0_temp", "sys/class/thermal/thermal_zone0/trip_point_0_type",
    "sys/class/thermal/cooling_device0/type", "sys/class/thermal/cooling_device0/cur_state",
    "sys/class/thermal/cooling_device0/max_state", "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq",
    "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count",
    "sys/devices/platform/dell-smbios.0/tokens/0480_value",
]  # fmt: skip
NUMBERS = st.integers(-(10**25), 10**25).map(lambda number: f"{number}\n".encode())
CONTENT = st.one_of(st.binary(max_size=200), NUMBERS, st.text("0123456789 .:-kBcpu\n;,x/", max_size=120))
DAMAGE = st.one_of(
    CONTENT.map(lambda content: content.encode() if isinstance(content, str) else content),
    st.none(),  # the file goes away
    st.just("folder"),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> FakeMachine:
    """A laptop that each example damages and repairs."""
    return laptop(tmp_path_factory.mktemp("laptop"))


@settings(max_examples=150, deadline=None)
@given(
    damage=st.dictionaries(st.sampled_from(MACHINE_FILES), DAMAGE, min_size=1, max_size=6), late=st.booleans()
)
def test_whatever_the_files_hold_an_answer_is_a_value_of_its_type_or_one_of_our_errors(
    tree: FakeMachine, damage: dict[str, bytes | str | None], late: bool
) -> None:
    with contextlib.ExitStack() as repairs:
        parts = _search(tree) if late else []
        for name, content in damage.items():
            repairs.enter_context(damaged(tree.root / name, content))
        parts = parts or _search(tree)
        for part in parts:
            _check(part.device)
            _read(part)


@contextlib.contextmanager
def damaged(path: Path, content: bytes | str | None) -> Iterator[None]:
    """Put something else in the place of a file for a while: other bytes, nothing, or a folder."""
    before = path.read_bytes()
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "folder":
        path.mkdir()
    yield
    if path.is_dir():
        path.rmdir()
    path.write_bytes(before)


def _search(machine: FakeMachine) -> list[Part]:
    search = Machine(HostOptions(root=str(machine.root)))
    parts: list[Part] = []
    for room in rooms(search):
        try:
            parts += room.search(search)
        except Absent as reason:
            assert str(reason).isprintable()
    return parts


def _read(part: Part) -> None:
    part.pause(part.device.registers)
    try:
        answers = part.read(part.device.registers)
    except DSMILError as error:
        assert error.message.isprintable()
    else:
        for register, answer in zip(part.device.registers, answers, strict=True):
            assert isinstance(answer, DSMILError) or fits(register, answer)
            assert str(answer).isprintable()
    part.close()


def _check(device: Device) -> None:
    names = [register.name.casefold() for register in device.registers]
    assert len(set(names)) == len(names)
    assert device.default_register in names
    assert device.name.isprintable()
    assert all(value.isprintable() for _, value in device.facts)
    assert parse_selector(str(device.device_id)).ids == (device.device_id,)
    assert all(register.description.isprintable() for register in device.registers)
    msgspec.json.encode(device)


linux = pytest.mark.skipif(sys.platform != "linux", reason="compares with the files of Linux")


@linux
async def test_this_machine_is_told_as_its_kernel_tells_it(tmp_path: Path) -> None:
    host = Host(tmp_path, HostOptions())
    devices = await host.discover()

    before = Path("/proc/loadavg").read_text().split()[:3]
    load = await host.answers("load")
    after = Path("/proc/loadavg").read_text().split()[:3]
    assert list(load.values()) in ([float(field) for field in before], [float(field) for field in after])

    meminfo = dict(row.split(":") for row in Path("/proc/meminfo").read_text().splitlines())
    assert await host.value("memory", "total") == int(meminfo["MemTotal"].split()[0]) * 1024
    told = os.statvfs("/")
    if "disk:/" in devices:
        assert await host.value("disk:/", "total") == told.f_blocks * told.f_frsize
    assert await host.value("cpu", "count") == os.sysconf("SC_NPROCESSORS_ONLN")
    usage = await host.value("cpu", "usage")
    assert isinstance(usage, float)
    assert 0 <= usage <= 100
    await host.driver.shutdown()


@linux
async def test_every_chip_and_zone_of_this_machine_is_a_device_or_the_reason_is_told(tmp_path: Path) -> None:
    host = Host(tmp_path, HostOptions())
    kinds = {str(device_id).partition(":")[0] for device_id in await host.discover()}

    absent = await host.driver.absent()

    assert kinds | set(absent) == KINDS
    assert not kinds & set(absent)
    for kind, place in (("hwmon", "/sys/class/hwmon"), ("thermal", "/sys/class/thermal")):
        if not list(Path(place).glob("*")):
            assert place in absent[kind]


async def test_counts_and_speeds_stay_whole_numbers(host: Host) -> None:
    assert type(await host.value("processes", "count")) is int
    assert type(await host.value("fan:Processor_Fan", "speed")) is int
    assert type(await host.value("thermal:acpitz", "temp")) is float


@linux
def test_finding_this_machine_loads_neither_psutil_nor_a_process_library() -> None:
    script = """
import asyncio, pathlib, sys
import dsmilctl.drivers.contract
before = set(sys.modules)
from dsmilctl.drivers.host import HostDriver, HostOptions
async def main():
    driver = HostDriver(HostOptions(), dsmilctl.drivers.contract.DriverContext(pathlib.Path("/nowhere")))
    devices = await driver.discover()
    load = next(device for device in devices if device.device_id == "load")
    await driver.read_many([(load, load.registers)])
asyncio.run(main())
print(*sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    loaded = done.stdout.split()
    assert "dsmilctl.drivers.host.driver" in loaded
    assert not {"psutil", "csv", "shutil", "tempfile", "platformdirs"} & set(loaded)
