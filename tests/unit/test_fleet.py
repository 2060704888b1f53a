"""The fleet: drivers that are opened, devices that are found, and what is said when they are not."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest

from dsmilctl.config.contexts import DriverUse
from dsmilctl.config.paths import Paths
from dsmilctl.drivers.contract import NoOptions
from dsmilctl.errors import (
    ConfigError,
    Conflict,
    DeviceNotFound,
    HardwareError,
    InvalidParameter,
    NetworkError,
)
from dsmilctl.fleet.registers import default_registers, registers_of
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register
from dsmilctl.model.selector import parse_selector
from tests.rack import HORN, LEVEL, MODE, SPEED, Lab, Rack, RackDriver


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a driver that has some."""

    port: int = 502
    host: str = ""


class Picky(RackDriver):
    """A driver with options, one of which it refuses itself."""

    options = Settings

    def __init__(self, options: Settings, context: object) -> None:
        super().__init__(options, context)  # type: ignore[arg-type]  # the context is a DriverContext
        if options.host == "nowhere":
            raise OSError("no such host")


def picky(home: Paths, **options: object) -> Lab:
    rack = Rack(1)
    lab = Lab(home, rack)
    lab.registry._kinds["rack"] = type("Driver", (Picky,), {"rack": rack})
    lab.context = msgspec.structs.replace(lab.context, drivers=(DriverUse("rack", options),))
    return lab


async def test_two_drivers_make_one_fleet_in_the_order_of_the_context(home: Paths) -> None:
    one, other = Rack(2, name="one"), Rack(2, name="other")

    async with Lab(home, one, other).client() as client:
        devices = await client.devices()
        readings = await client.read(list(reversed(devices)), ["LEVEL", "MODE"])

    assert [device.device_id for device in devices] == ["one-0", "one-1", "other-0", "other-1"]
    assert [(item.device_id, item.register) for item in readings][:4] == [
        ("other-1", "LEVEL"),
        ("other-1", "MODE"),
        ("other-0", "LEVEL"),
        ("other-0", "MODE"),
    ]
    assert all(reading.good for reading in readings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prot": 503}, "unknown field `prot`"),
        ({"port": "many"}, "Expected `int`"),
        ({"host": "nowhere"}, "no such host"),
    ],
)
async def test_wrong_options_of_a_driver_are_named_with_those_there_are(
    home: Paths, options: dict[str, object], message: str
) -> None:
    client = picky(home, **options).client()

    with pytest.raises(ConfigError, match=message) as refused:
        await client.open()

    assert refused.value.hint == "options of rack: port, host"


async def test_one_id_of_two_devices_is_a_conflict_that_names_both_drivers(home: Paths) -> None:
    one, other = Rack(1, name="one"), Rack(1, name="other")
    other.devices = [Device("one-0", "the same name", "other", ())]

    async with Lab(home, one, other).client() as client:
        with pytest.raises(Conflict, match="one-0 is offered by one and by other"):
            await client.devices()


async def test_a_driver_that_finds_nothing_does_not_hide_the_devices_of_another_one(home: Paths) -> None:
    broken, rack = Rack(1, name="broken"), Rack(2)
    broken.discovery = RuntimeError("no bus")

    async with Lab(home, broken, rack).client() as client:
        assert len(await client.devices()) == 2
        with pytest.raises(DeviceNotFound, match="no bus") as missing:
            await client.devices(parse_selector("broken-0"))
        health = await client.health()
        status = await client.system_status()

    assert missing.value.hint
    assert "no bus" in health["components"]["driver broken"]
    assert health["components"]["driver rack"] == "ok"
    assert "no bus" in status["absent"]["driver broken"]


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (RuntimeError("no bus"), HardwareError),
        (PermissionError("no right"), NetworkError),
        (NetworkError("unplugged"), NetworkError),
    ],
)
async def test_where_no_driver_finds_a_device_the_first_one_says_why(
    home: Paths, problem: Exception, kind: type[Exception]
) -> None:
    rack = Rack(1)
    rack.discovery = problem

    async with Lab(home, rack).client() as client:
        with pytest.raises(kind, match=str(problem)):
            await client.devices()
        rack.discovery = None
        assert len(await client.devices()) == 1, "it is asked again"


async def test_drivers_look_for_their_devices_side_by_side_and_once(home: Paths) -> None:
    racks = [Rack(1, name=name) for name in ("a", "b", "c")]
    for rack in racks:
        rack.discovery = 0.2

    async with Lab(home, *racks).client() as client:
        begun = time.monotonic()
        found = await asyncio.gather(*(client.devices() for _ in range(10)))
        elapsed = time.monotonic() - begun

    assert {len(devices) for devices in found} == {3}
    assert elapsed < 0.55


async def test_scanning_finds_new_devices_and_lets_go_of_those_that_are_gone(home: Paths) -> None:
    rack = Rack(2)

    async with Lab(home, rack).client() as client:
        before = await client.devices()
        await client.lifecycle("connect", before)
        rack.devices = [rack.devices[1], *Rack(3).devices[2:]]
        statuses = await client.lifecycle("scan", before)
        after = await client.devices()

    assert [status.device_id for status in statuses] == ["rack-1"]
    assert [device.device_id for device in after] == ["rack-1", "rack-2"]
    assert rack.asked.count(("close", "rack-0")) == 1
    assert rack.asked.count(("open", "rack-1")) == 1, "what is still there stays connected"


async def test_what_fails_on_the_way_out_holds_nothing_up(home: Paths) -> None:
    rack, other = Rack(2), Rack(1, name="other")
    ended: list[str] = []

    class Failing(RackDriver):
        async def shutdown(self) -> None:
            ended.append(self.name)
            if self.name == "rack":
                raise RuntimeError("stuck")

    lab = Lab(home, rack, other)
    for item in (rack, other):
        lab.registry._kinds[item.name] = type("Driver", (Failing,), {"rack": item, "name": item.name})
    client = lab.client()
    await client.open()
    await client.lifecycle("connect", await client.devices())
    rack.faults["rack-0", "close"] = "broken"
    await client.close()

    assert ended == ["rack", "other"]
    assert [name for verb, name in rack.asked if verb == "close"] == ["rack-0", "rack-1"]


async def test_an_unknown_device_is_named_with_the_nearest_one(home: Paths) -> None:
    async with Lab(home, Rack(3)).client() as client:
        with pytest.raises(DeviceNotFound, match="no device rack-33") as missing:
            await client.statuses([Device("rack-33", "", "rack")])

    assert "rack-" in missing.value.hint


def test_registers_are_found_for_each_device_that_has_them() -> None:
    both = Device("a", "", "x", (LEVEL, MODE, SPEED), default_register="speed")
    one = Device("b", "", "x", (HORN, MODE))

    assert registers_of([both, one], ["MODE", "level"]) == [(MODE, LEVEL), (MODE,)]
    assert registers_of([both, one], []) == [(SPEED,), (MODE,)]
    assert default_registers(Device("c", "", "x", (HORN,))) == ()


@pytest.mark.parametrize(
    ("name", "message"), [("MODUS", "no register 'MODUS'"), ("HORN", "HORN is write-only")]
)
def test_a_register_that_no_device_can_read_is_refused(name: str, message: str) -> None:
    devices = [Device("a", "", "x", (LEVEL, MODE)), Device("b", "", "x", (HORN,))]

    with pytest.raises(InvalidParameter, match=message):
        registers_of(devices, [name])


def test_a_register_is_read_where_it_can_be_read() -> None:
    write_only = Device("a", "", "x", (Register("KEY", access="wo"),))
    readable = Device("b", "", "x", (Register("KEY", access="rw"),))

    tables = registers_of([write_only, readable], ["KEY"])

    assert [len(table) for table in tables] == [0, 1]


def test_options_of_a_driver_without_any_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"x": 1}, NoOptions)
