"""The host driver's sensors: chips, thermal zones, fans and cooling devices of a made-up machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsmilctl.errors import DSMILError, HardwareError, PermissionDenied
from dsmilctl.model.reading import Quality, judge
from tests.drivers.fake_machine import FakeMachine, Host, laptop


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return laptop(tmp_path / "machine")


@pytest.fixture
def host(machine: FakeMachine) -> Host:
    return Host(machine.root)


async def test_a_sensor_is_named_by_its_label_and_told_in_its_unit(host: Host) -> None:
    answers = await host.answers("hwmon:coretemp")

    assert answers == {"package_id_0": 48.0, "temp1_crit_alarm": False, "core_0": 45.5}
    assert host.register("hwmon:coretemp", "package_id_0").unit == "°C"
    assert "temp1_input" in host.register("hwmon:coretemp", "package_id_0").description


async def test_every_kind_of_sensor_has_its_own_unit_and_scale(host: Host) -> None:
    answers = await host.answers("hwmon:nct6775")

    units = {register.name: register.unit for register in host.devices["hwmon:nct6775"].registers}
    told = {name: (answer, units[name]) for name, answer in answers.items()}
    assert told == {
        "in0": (0.888, "V"),
        "processor_fan": (1250, "RPM"),
        "fan2": (0, "RPM"),
        "temp1": (33.0, "°C"),
        "curr1": (1.5, "A"),
        "power1": (12.5, "W"),
        "energy1": (3.0, "J"),
        "humidity1": (41.0, "%"),
        "intrusion0_alarm": (True, ""),
    }


async def test_the_kernels_limits_are_the_alarm_limits_of_the_register(host: Host) -> None:
    await host.discover()

    package = host.register("hwmon:coretemp", "package_id_0")
    assert (package.low, package.high) == (None, 100.0)
    assert "crit 105 °C" in package.description
    assert host.register("hwmon:nct6775", "in0").high == 1.744
    assert host.register("hwmon:nct6775", "processor_fan").low == 300


async def test_a_limit_that_no_sensor_can_have_is_no_limit(host: Host) -> None:
    await host.discover()

    unset = host.register("hwmon:nct6775", "temp1")
    assert (unset.low, unset.high) == (None, None)


async def test_crossed_limits_are_left_out_together(machine: FakeMachine, host: Host) -> None:
    machine.chip(9, "nvme", {"temp1_input": "40000", "temp1_min": "-273150", "temp1_max": "65261850"})
    machine.chip(10, "odd", {"in1_input": "1", "in1_min": "2000", "in1_max": "1000"})

    await host.discover()

    nvme, odd = host.register("hwmon:nvme", "temp1"), host.register("hwmon:odd", "in1")
    assert (nvme.low, nvme.high, odd.low, odd.high) == (None, None, None, None)


async def test_a_temperature_below_absolute_zero_is_passed_on_as_bad(
    machine: FakeMachine, host: Host
) -> None:
    machine.chip(9, "broken", {"temp1_input": "-999000"})

    value = await host.value("hwmon:broken", "temp1")

    quality, why = judge(host.register("hwmon:broken", "temp1"), value)
    assert (value, quality) == (-999.0, Quality.BAD)
    assert "least that can be" in why


@pytest.mark.skipif(sys.platform != "linux", reason="the file that fails is one of Linux")
async def test_a_sensor_that_fails_with_an_io_error_leaves_the_others_good(
    machine: FakeMachine, host: Host
) -> None:
    await host.discover()
    sensor = machine.root / "sys/class/hwmon/hwmon3/temp2_input"
    sensor.unlink()
    sensor.symlink_to("/proc/self/mem")  # reading its first byte gives EIO

    answers = await host.answers("hwmon:coretemp", "package_id_0", "core_0")

    assert answers["package_id_0"] == 48.0
    error = answers["core_0"]
    assert isinstance(error, HardwareError)
    assert "EIO" in error.message
    assert "temp2_input" in error.message
    assert error.device_id == "hwmon:coretemp"


async def test_a_folder_in_the_place_of_a_sensor_is_that_sensors_error(
    machine: FakeMachine, host: Host
) -> None:
    machine.chip(9, "folded", {"temp1_input": "1000"})
    (machine.root / "sys/class/hwmon/hwmon9/temp2_input").mkdir()

    answers = await host.answers("hwmon:folded")

    assert answers["temp1"] == 1.0
    assert isinstance(answers["temp2"], HardwareError)
    assert "EISDIR" in answers["temp2"].message


async def test_a_pipe_in_the_place_of_a_sensor_does_not_wait_for_a_writer(
    machine: FakeMachine, host: Host
) -> None:
    os.mkfifo(machine.chip(9, "piped", {"temp2_input": "2000"}) / "temp1_input")

    answers = await asyncio.wait_for(host.answers("hwmon:piped"), 10)

    assert isinstance(answers["temp1"], HardwareError)
    assert answers["temp2"] == 2.0


async def test_a_link_that_leads_nowhere_or_in_a_circle_hides_no_other_chip(
    machine: FakeMachine, host: Host
) -> None:
    (machine.root / "sys/class/hwmon/hwmon8").symlink_to("hwmon8")
    (machine.root / "sys/class/hwmon/hwmon9").symlink_to("../../nowhere")
    (machine.root / "sys/class/thermal/thermal_zone8").symlink_to("thermal_zone8")

    devices = await host.discover()

    assert {"hwmon:coretemp", "hwmon:nct6775", "thermal:acpitz"} <= set(devices)


@pytest.mark.parametrize(
    "nonsense", ["", "abc", "12 34", "0x10", "1e3", "nan", "--1", "9" * 400, "\x1b[31m5"]
)
async def test_nonsense_in_a_sensor_is_an_error_that_shows_no_control_characters(
    machine: FakeMachine, host: Host, nonsense: str
) -> None:
    machine.chip(9, "odd", {"temp1_input": nonsense})

    error = await host.error("hwmon:odd", "temp1")

    assert "is not a whole number" in error.message
    assert error.message.isprintable()


async def test_a_sensor_that_reports_a_fault_has_no_value(machine: FakeMachine, host: Host) -> None:
    machine.chip(9, "diode", {"temp1_input": "-128000", "temp1_fault": "1"})

    error = await host.error("hwmon:diode", "temp1")

    assert "reports a fault" in error.message


async def test_chips_of_one_name_get_ids_that_outlive_the_numbers_of_a_boot(tmp_path: Path) -> None:
    first, second = FakeMachine(tmp_path / "first"), FakeMachine(tmp_path / "second")
    for machine, numbers in ((first, (0, 1)), (second, (7, 2))):
        machine.chip(numbers[0], "nvme", {"temp1_input": "10000"}, "pci0000:00/0000:00:02.0")
        machine.chip(numbers[1], "nvme", {"temp1_input": "20000"}, "pci0000:00/0000:00:10.0")

    values = [
        [await Host(machine.root).value(chip, "temp1") for chip in ("hwmon:nvme", "hwmon:nvme-2")]
        for machine in (first, second)
    ]

    assert values == [[10.0, 20.0], [10.0, 20.0]]


async def test_labels_that_are_the_same_give_registers_that_are_not(machine: FakeMachine, host: Host) -> None:
    machine.chip(9, "twins", {f"temp{n}_{what}": "Core" if what == "label" else f"{n}000"
                              for n in (1, 2) for what in ("input", "label")})  # fmt: skip

    assert await host.answers("hwmon:twins") == {"core": 1.0, "core_2": 2.0}


async def test_odd_labels_become_names_that_can_be_typed(machine: FakeMachine, host: Host) -> None:
    labels = ("+3.3V", "\x1b[31mhot\x07", "   ", "a,b=@c*", "Außen", "x" * 500)
    files = {f"temp{n}_label": label for n, label in enumerate(labels, 1)}
    files |= {f"temp{n}_input": f"{n}000" for n in range(1, len(labels) + 1)}
    machine.chip(9, "evil \x1b]0;name\x07, chip", files)

    answers = await host.answers("hwmon:evil_0_name_chip")

    assert list(answers) == ["temp1_3_3v", "temp2_31mhot", "temp3", "a_b_c", "außen", "x" * 64]
    assert all(device.name.isprintable() for device in host.devices.values())
    assert all(register.description.isprintable() for register in
               host.devices["hwmon:evil_0_name_chip"].registers)  # fmt: skip


async def test_a_chip_without_a_name_file_is_called_by_its_folder(machine: FakeMachine, host: Host) -> None:
    (machine.chip(9, "nameless", {"temp1_input": "1000"}) / "name").unlink()

    assert await host.value("hwmon:hwmon9", "temp1") == 1.0


async def test_a_chip_that_measures_nothing_is_no_device(machine: FakeMachine, host: Host) -> None:
    machine.chip(9, "quiet", {"update_interval": "1000", "pwm1": "3"})

    assert "hwmon:quiet" not in await host.discover()


async def test_a_chip_that_vanished_since_discovery_is_said_to_be_gone(
    machine: FakeMachine, host: Host
) -> None:
    await host.discover()
    folder = (machine.root / "sys/class/hwmon/hwmon3").resolve()
    folder.rename(folder.with_name("elsewhere"))

    with pytest.raises(HardwareError, match="hwmon:coretemp is gone") as caught:
        await host.answers("hwmon:coretemp")

    assert "device scan" in caught.value.hint


async def test_another_chip_under_the_old_number_is_not_mistaken_for_the_old_one(
    machine: FakeMachine, host: Host
) -> None:
    await host.discover()
    link = machine.root / "sys/class/hwmon/hwmon3"
    link.resolve().rename(link.resolve().with_name("elsewhere"))
    link.unlink()
    machine.chip(3, "nvme", {"temp1_input": "70000"})

    with pytest.raises(HardwareError, match="gone"):
        await host.answers("hwmon:coretemp")


async def test_one_sensor_that_vanished_leaves_the_others_good(machine: FakeMachine, host: Host) -> None:
    await host.discover()
    (machine.root / "sys/class/hwmon/hwmon3/temp2_input").unlink()

    answers = await host.answers("hwmon:coretemp", "package_id_0", "core_0")

    assert answers["package_id_0"] == 48.0
    assert isinstance(answers["core_0"], HardwareError)
    assert "ENOENT" in answers["core_0"].message


async def test_a_sensor_that_appears_is_there_after_the_next_discovery(
    machine: FakeMachine, host: Host
) -> None:
    assert "hwmon:late" not in await host.discover()

    machine.chip(9, "late", {"temp1_input": "1000"})
    await host.discover()

    assert await host.value("hwmon:late", "temp1") == 1.0


async def test_a_thermal_zone_tells_its_temperature_and_its_lowest_warning_trip_point(host: Host) -> None:
    assert await host.value("thermal:acpitz", "temp") == 27.8

    register = host.register("thermal:acpitz", "temp")
    assert register.high == 95.0
    assert "critical 119 °C" in register.description
    assert host.register("thermal:x86_pkg_temp", "temp").high is None


async def test_zones_of_one_type_get_different_ids(machine: FakeMachine, host: Host) -> None:
    machine.zone(2, "acpitz", "31000")

    assert await host.value("thermal:acpitz-2", "temp") == 31.0


async def test_another_zone_under_the_old_number_is_not_mistaken_for_the_old_one(
    machine: FakeMachine, host: Host
) -> None:
    await host.discover()
    machine.write("sys/devices/virtual/thermal/thermal_zone0/type", "iwlwifi\n")

    with pytest.raises(HardwareError, match="thermal:acpitz is gone"):
        await host.answers("thermal:acpitz")


async def test_a_fan_tells_its_speed_its_limit_and_how_hard_it_is_driven(host: Host) -> None:
    assert await host.answers("fan:Processor_Fan") == {"speed": 1250, "duty": 20.0}
    assert host.register("fan:Processor_Fan", "speed").low == 300

    assert await host.answers("fan:nct6775-fan2") == {"speed": 0}


async def test_cooling_devices_tell_how_far_they_cool(host: Host) -> None:
    assert await host.answers("cooling") == {"processor": 0, "processor_2": 3}
    assert host.register("cooling", "processor").maximum == 10


@pytest.fixture
def public() -> Iterator[FakeMachine]:
    """A machine in a folder that every user may read, which pytest's own folders are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield FakeMachine(Path(folder))


@contextlib.contextmanager
def without_rights(path: Path) -> Iterator[None]:
    """Be a user who may not read `path`."""
    mode, root = path.stat().st_mode, os.geteuid() == 0
    path.chmod(0)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(mode)


async def test_a_sensor_that_may_not_be_read_is_a_matter_of_rights(public: FakeMachine) -> None:
    sensor = public.chip(0, "secret", {"temp1_input": "1000", "temp2_input": "2000"}) / "temp2_input"

    with without_rights(sensor):
        answers = await Host(public.root).answers("hwmon:secret")

    assert answers["temp1"] == 1.0
    error = answers["temp2"]
    assert isinstance(error, PermissionDenied)
    assert str(sensor) in error.message


async def test_a_folder_that_may_not_be_read_hides_its_own_parts_and_says_so(public: FakeMachine) -> None:
    public.write("proc/stat", "")
    public.zone(0, "acpitz", "27800")
    host = Host(public.root)

    with without_rights(public.root / "proc"):
        devices = await host.discover()

    assert list(devices) == ["thermal:acpitz"]
    assert "Permission denied" in (await host.driver.absent())["cpu"]


async def test_every_answer_of_a_failing_chip_is_of_our_error_tree(machine: FakeMachine, host: Host) -> None:
    await host.discover()
    folder = machine.root / "sys/class/hwmon/hwmon3"
    for sensor in folder.glob("temp*"):
        sensor.unlink()
        sensor.mkdir()

    answers = await host.answers("hwmon:coretemp")

    assert answers
    assert all(isinstance(answer, DSMILError) for answer in answers.values())
