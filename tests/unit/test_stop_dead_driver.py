"""Stops of what a selector names while a driver is dead: the devices of the others do not wait for it."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from dsmilctl.client.stop_search import StopSearch
from dsmilctl.config.contexts import DriverUse
from dsmilctl.config.paths import Paths
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DeviceNotFound, EmergencyStopActive
from dsmilctl.model.emergency import Stop, StopOutcome
from dsmilctl.model.selector import parse_selector
from tests.rack import Lab, Rack, outcomes, write

STOPPED, UNCONFIRMED = StopOutcome.STOPPED, StopOutcome.UNCONFIRMED
WATCHFUL = 8.0
"""Seconds after which a test takes a stop for one that waits for the dead driver; none takes a tenth."""


def numbered(count: int, name: str) -> Rack:
    """A rack whose devices have the numbers from 0x8000 on, and are a group."""
    rack = Rack(count, name=name)
    for number in range(count):
        rack.change(number, device_id=0x8000 + number, group=name)
    return rack


def dead() -> Rack:
    """A rack behind a gateway that does not answer."""
    rack = Rack(1, name="dead")
    rack.discovery = 1000.0
    return rack


async def ordered(lab: Lab, selector: str, deadline: float = 0.4) -> Stop:
    async with lab.client() as client:
        return await client.stop_selected(parse_selector(selector), deadline=deadline)


@pytest.mark.parametrize("selector", ["0x8000", "0x8000-0x8000", "valve 0", "VALVE 0", "0x8000,valve 0"])
async def test_a_device_that_is_found_is_stopped_without_waiting_for_a_dead_driver(
    home: Paths, selector: str
) -> None:
    rack = numbered(2, "rack")
    rack.faults[0x8000], rack.delay = "slow", 0.05  # driven with no time left it would be FAILED

    async with asyncio.timeout(WATCHFUL):
        stop = await ordered(Lab(home, dead(), rack), selector, deadline=60.0)

    assert outcomes(stop) == {0x8000: STOPPED}
    assert stop.devices == (0x8000,)
    assert rack.written() == [0, 0]


@pytest.mark.parametrize("selector", ["@rack", "0x800*", "valve*", "risk!=HIGH", "@rack,0x8000", "0-50000"])
async def test_where_a_dead_driver_may_have_more_of_them_everything_is_latched_and_the_driver_named(
    home: Paths, selector: str
) -> None:
    rack, other = numbered(2, "rack"), Rack(1, name="other")
    lab = Lab(home, rack, dead(), other)
    hit = {"valve*": ["other-0"], "risk!=HIGH": ["other-0"]}.get(selector, [])

    stop = await ordered(lab, selector)

    assert outcomes(stop) == dict.fromkeys([0x8000, 0x8001, *hit], STOPPED) | {"driver dead": UNCONFIRMED}
    assert (stop.devices, stop.scope, stop.latched) == ((), "@all", True)
    assert stop.latch_error == f"not every driver told what {selector} is, so everything is latched"
    assert other.written() == ([0, 0] if hit else [])
    async with lab.client() as client:
        (standing,) = await client.stops()
    assert standing.covers("dead-0")


@pytest.mark.parametrize("gone", [1000.0, ConnectionRefusedError("no bus")])
async def test_a_name_that_only_a_dead_driver_can_know_is_unconfirmed_and_everything_is_latched(
    home: Paths, gone: float | Exception
) -> None:
    rack, shed = Rack(1), dead()
    shed.discovery = gone
    lab = Lab(home, rack, shed)

    stop = await ordered(lab, "boiler-9,rack-0")

    assert outcomes(stop) == {"rack-0": STOPPED, "driver dead": UNCONFIRMED, "boiler-9": UNCONFIRMED}
    async with Lab(home, rack).client() as client:
        with pytest.raises(EmergencyStopActive):
            await client.change(write("rack-0"))


async def test_ids_that_nobody_has_claimed_are_unconfirmed_one_by_one(home: Paths) -> None:
    stop = await ordered(Lab(home, numbered(2, "rack"), dead()), "0x8001-0x8003")

    assert outcomes(stop) == {
        0x8001: STOPPED, 0x8002: UNCONFIRMED, 0x8003: UNCONFIRMED, "driver dead": UNCONFIRMED,
    }  # fmt: skip
    assert stop.devices == (0x8001, 0x8002, 0x8003)


@pytest.mark.parametrize("selector", ["0x8000-0x8005", "0x8000,0x8001", "@rack"])
async def test_the_devices_of_a_slow_driver_are_stopped_as_soon_as_it_names_them(
    home: Paths, selector: str
) -> None:
    rack, slow = numbered(2, "rack"), Rack(1, name="slow")
    rack.discovery = slow.discovery = 0.6  # longer than a stop waits before it tells the first device

    stop = await ordered(Lab(home, rack, slow), selector, deadline=WATCHFUL)

    assert outcomes(stop) == {0x8000: STOPPED, 0x8001: STOPPED}
    assert stop.elsewhere == ()


@pytest.mark.parametrize(
    ("selector", "named"), [("0x9999", 0x9999), ("@nobody", "@nobody"), ("0x9000-0x9001", "0x9000-0x9001")]
)
async def test_what_slow_drivers_do_not_have_after_all_is_unconfirmed_and_stays_latched(
    home: Paths, selector: str, named: object
) -> None:
    rack = numbered(2, "rack")
    rack.discovery = 0.6
    lab = Lab(home, rack)

    async with lab.client() as client:
        stop = await client.stop_selected(parse_selector(selector), deadline=WATCHFUL)
        standing = await client.stops()

    assert outcomes(stop) == {named: UNCONFIRMED}
    assert [item.stop_id for item in standing] == [stop.stop_id]
    assert rack.wire == []


async def test_a_mistyped_id_is_refused_where_two_drivers_offer_one_id(home: Paths) -> None:
    lab = Lab(home, numbered(2, "here"), numbered(3, "there"))

    with pytest.raises(DeviceNotFound):
        await ordered(lab, "0x9999")

    async with lab.client() as client:
        assert await client.stops() == []


async def test_an_id_that_two_drivers_offer_is_stopped_at_both(home: Paths) -> None:
    here, there = numbered(2, "here"), numbered(3, "there")

    stop = await ordered(Lab(home, here, there), "0x8001")

    assert [(item.device_id, item.outcome) for item in stop.confirmations] == [(0x8001, STOPPED)] * 2
    assert here.written() == there.written() == [0, 0]


async def test_devices_that_are_named_when_time_is_over_are_not_taken_for_stopped() -> None:
    rack, named = numbered(1, "rack"), asyncio.Event()

    async def find() -> list[Managed]:
        await named.wait()
        return [Managed(device, rack.driver().__new__(rack.driver()), 0) for device in rack.devices]

    search = StopSearch([("rack", find)], parse_selector("0x8000"), (0x8000,))
    crew, _ = search.crews(None)
    finding = asyncio.ensure_future(crew.find())
    await asyncio.sleep(0)
    finding.cancel()
    await asyncio.wait((finding,))
    named.set()
    await search.settle(WATCHFUL)

    assert set(search.missing()) == {"driver rack", 0x8000}


@pytest.mark.parametrize("selector", ["@rack", "0x800*", "valve*"])
async def test_a_disabled_driver_makes_no_stop_of_a_group_one_of_everything_and_is_named(
    home: Paths, selector: str
) -> None:
    rack, other = numbered(2, "rack"), Rack(1, name="other")
    lab = Lab(home, rack, other)
    async with lab.client() as client:
        await client.set_driver("other", enabled=False, reason="being rewired")

    stop = await ordered(lab, selector)

    assert outcomes(stop) == {0x8000: STOPPED, 0x8001: STOPPED, "driver other": UNCONFIRMED}
    assert (stop.devices, stop.latch_error) == ((0x8000, 0x8001), "")


async def test_what_only_a_disabled_driver_may_have_is_latched_with_everything(home: Paths) -> None:
    lab = Lab(home, numbered(2, "rack"), Rack(1, name="other"))
    async with lab.client() as client:
        await client.set_driver("other", enabled=False, reason="being rewired")

    stop = await ordered(lab, "@north-hall")

    assert stop.devices == ()
    assert outcomes(stop)["driver other"] == UNCONFIRMED


async def test_chosen_devices_of_a_driver_with_a_name_of_its_own_are_driven_before_any_look(
    home: Paths,
) -> None:
    rack = Rack(2)
    lab = Lab(home, rack)
    named = (DriverUse("rack", name="north"),)
    lab.context = msgspec.structs.replace(lab.context, drivers=named)

    stop = await lab.client().stop(rack.devices[:1], reason="smoke", deadline=1)

    assert outcomes(stop) == {"rack-0": STOPPED}
    assert {telegram.device_id for telegram in rack.wire} == {"rack-0"}
