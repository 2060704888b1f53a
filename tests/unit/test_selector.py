"""Selectors: which devices a text names, the same everywhere, and what a wrong one is told."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.errors import DeviceNotFound, DSMILError, InvalidParameter
from dsmilctl.model.device import Device, DeviceId, DeviceState, DeviceStatus, Risk
from dsmilctl.model.selector import EVERYTHING, Selector, parse_selector, select


def device(
    device_id: DeviceId, name: str = "", group: str = "", *, risk: Risk = Risk.LOW, quarantined: bool = False
) -> Device:
    driver = "sim" if isinstance(device_id, int) else "modbus"
    return Device(device_id, name or f"device {device_id}", driver, (), group, risk, quarantined)


CONTROLLER = device(0x8000, "Group 0 Controller", "core", risk=Risk.CRITICAL)
THERMAL = device(0x8001, "Thermal Monitoring", "core", risk=Risk.MEDIUM)
WIPE = device(0x8009, "Emergency Wipe Controller", "core", risk=Risk.CRITICAL, quarantined=True)
LINK = device(0x8018, "Link", "network", risk=Risk.HIGH)
BLACKOUT = device(0x8019, "Communications Blackout", "dark", risk=Risk.HIGH, quarantined=True)
BOILER_1 = device("boiler-1", "Boiler 1", "boilers")
BOILER_2 = device("boiler-2", "Boiler 2", "boilers", risk=Risk.HIGH)
FLEET = (CONTROLLER, THERMAL, WIPE, LINK, BLACKOUT, BOILER_1, BOILER_2)
STATES = {0x8000: DeviceState.ACTIVE, 0x8018: DeviceState.ERROR, "boiler-1": DeviceState.CONNECTED}


def status(device_id: DeviceId) -> DeviceStatus | None:
    return DeviceStatus(device_id, STATES[device_id]) if device_id in STATES else None


def chosen(text: str, *, quarantined: bool = False, fleet: Sequence[Device] = FLEET) -> tuple[Device, ...]:
    return tuple(select(parse_selector(text), fleet, status, quarantined=quarantined))


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("0x8000", [CONTROLLER]),
        ("32768", [CONTROLLER]),
        ("0X8000", [CONTROLLER]),
        ("boiler-1", [BOILER_1]),
        ("Boiler-1", [BOILER_1]),
        ("Thermal Monitoring", [THERMAL]),
        ("thermal monitoring", [THERMAL]),
        ("0x8000-0x8001", [CONTROLLER, THERMAL]),
        ("0x8000..0x8001", [CONTROLLER, THERMAL]),
        ("32768-32769", [CONTROLLER, THERMAL]),
        ("boiler-*", [BOILER_1, BOILER_2]),
        ("BOILER-?", [BOILER_1, BOILER_2]),
        ("boiler-[2-9]", [BOILER_2]),
        ("Thermal*", [THERMAL]),
        ("@boilers", [BOILER_1, BOILER_2]),
        ("@Boilers", [BOILER_1, BOILER_2]),
        ("boiler-2,0x8000", [CONTROLLER, BOILER_2]),
        (" 0x8000 , 0x8000 ", [CONTROLLER]),
        ("0x8000-0x8001,0x8000", [CONTROLLER, THERMAL]),
        ("@all", [CONTROLLER, THERMAL, LINK, BOILER_1, BOILER_2]),
        ("*", [CONTROLLER, THERMAL, LINK, BOILER_1, BOILER_2]),
        ("risk=HIGH", [LINK, BOILER_2]),
        ("risk=high", [LINK, BOILER_2]),
        ("risk=MODERATE", [THERMAL]),
        ("risk!=HIGH,@boilers", [BOILER_1]),
        ("state=active", [CONTROLLER]),
        ("state!=error,@network", []),
        ("driver=modbus", [BOILER_1, BOILER_2]),
        ("group=core", [CONTROLLER, THERMAL]),
        ("name=Link", [LINK]),
        ("boiler-*,risk=HIGH", [BOILER_2]),
    ],
)
def test_a_selector_names_devices_in_the_fleets_order_each_once(text: str, devices: list[Device]) -> None:
    assert chosen(text) == tuple(devices)


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("@all", [CONTROLLER, THERMAL, LINK, BOILER_1, BOILER_2]),
        ("@core", [CONTROLLER, THERMAL]),
        ("0x80*", [CONTROLLER, THERMAL, LINK]),
        ("0x8009", [WIPE]),
        ("Emergency Wipe Controller", [WIPE]),
        ("0x8001-0x8018", [THERMAL, WIPE, LINK]),
        ("@core,0x8009", [CONTROLLER, THERMAL, WIPE]),
        ("quarantined=true", [WIPE, BLACKOUT]),
        ("quarantined=false,@core", [CONTROLLER, THERMAL]),
        ("quarantined!=false", [WIPE, BLACKOUT]),
    ],
)
def test_quarantined_devices_come_only_when_named_met_by_a_range_or_asked_for(
    text: str, devices: list[Device]
) -> None:
    assert chosen(text) == tuple(devices)


@pytest.mark.parametrize(
    ("text", "devices"), [("@all", FLEET), ("@core", (CONTROLLER, THERMAL, WIPE)), ("@dark", (BLACKOUT,))]
)
def test_with_quarantined_they_come_like_all_others(text: str, devices: tuple[Device, ...]) -> None:
    assert chosen(text, quarantined=True) == devices


@pytest.mark.parametrize("text", ["@dark", "0x8*9"])
def test_a_group_or_glob_of_quarantined_devices_alone_says_how_to_reach_them(text: str) -> None:
    with pytest.raises(DeviceNotFound, match="quarantined devices only") as refusal:
        chosen(text)

    assert "--quarantined" in refusal.value.hint


@pytest.mark.parametrize(
    ("text", "why", "hint"),
    [
        ("0x8002", "no device 0x8002", "Did you mean 0x8001?"),
        ("0x9999999", "no device 0x9999999", "ids here go from 0x8000 to 0x8019"),
        ("boiler-3", "no device boiler-3", "Did you mean boiler-2?"),
        ("boilr-1", "no device boilr-1", "Did you mean boiler-1?"),
        ("Thermal Monitorin", "no device Thermal Monitorin", "Did you mean Thermal Monitoring?"),
        ("xyzzy", "no device xyzzy", "dsmilctl device list"),
        ("@boiler", "@boiler names no device", "Did you mean @boilers?"),
        ("pump-*", "pump-* names no device", "dsmilctl device list"),
        ("0x9000-0x900F", "0x9000-0x900F names no device", "dsmilctl device list"),
    ],
)
def test_an_unknown_device_is_refused_with_the_nearest_one(text: str, why: str, hint: str) -> None:
    with pytest.raises(DeviceNotFound) as refusal:
        chosen(text)

    assert refusal.value.message == why
    assert hint in refusal.value.hint


def test_an_unknown_device_is_refused_even_beside_a_known_one() -> None:
    with pytest.raises(DeviceNotFound, match="0x8002"):
        chosen("0x8000,0x8002")


def test_a_name_that_two_devices_share_is_refused_with_their_ids() -> None:
    twins = [device("a", "Pump"), device("b", "Pump")]

    with pytest.raises(InvalidParameter, match="2 devices are called 'Pump'") as refusal:
        chosen("Pump", fleet=twins)

    assert "a, b" in refusal.value.hint


@pytest.mark.parametrize(
    ("text", "why", "hint"),
    [
        ("", "empty term", "a selector is"),
        (",", "empty term", "a selector is"),
        ("0x8000,,0x8001", "empty term", "a selector is"),
        ("0x800F-0x8000", "reversed", "0x8000-0x800F"),
        ("0x80G0", "not a hexadecimal number", "a selector is"),
        ("@", "needs a group name", "@all"),
        ("rsik=HIGH", "no filter 'rsik'", "Did you mean risk?"),
        ("colour=red", "no filter 'colour'", "filters: risk"),
        ("risk=HIHG", "risk is never 'HIHG'", "Did you mean HIGH?"),
        ("state=broken", "state is never 'broken'", "state is one of"),
        ("quarantined=maybe", "quarantined is never 'maybe'", "true, false"),
        ("0-1099511627775", "spans 1,099,511,627,776 ids", "@all"),
        ("9" * 5000, "too long for an id", "a selector is"),
    ],
)
def test_a_malformed_selector_is_refused_with_what_would_be_right(text: str, why: str, hint: str) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        parse_selector(text)

    assert why in refusal.value.message
    assert hint in refusal.value.hint


def test_two_to_the_forty_ids_are_refused_at_once_and_a_million_are_walked_through() -> None:
    begun = time.process_time()

    with pytest.raises(InvalidParameter):
        parse_selector(f"0x8000-{0x8000 + 2**40}")
    assert chosen(f"0x8000-{0x8000 + 999_999}") == (CONTROLLER, THERMAL, WIPE, LINK, BLACKOUT)

    assert time.process_time() - begun < 5


def test_a_misspelt_name_in_a_fleet_of_100_000_is_answered_at_once() -> None:
    fleet = [device(f"boiler-{number}", f"Boiler {number}") for number in range(100_000)]
    begun = time.process_time()

    with pytest.raises(DeviceNotFound):
        chosen("boyler-1", fleet=fleet)

    assert time.process_time() - begun < 5


def test_leading_zeroes_are_decimal_like_everywhere_else() -> None:
    assert parse_selector("007").ids == (7,)
    assert chosen("00032768") == (CONTROLLER,)


def test_a_name_with_a_dash_is_a_name_and_no_range() -> None:
    parsed = parse_selector("boiler-1")

    assert (parsed.ids, parsed.ranges) == (("boiler-1",), ())


def test_everything_is_everything_that_is_not_quarantined() -> None:
    assert tuple(select(EVERYTHING, FLEET, status)) == chosen("@all")


terms = st.one_of(
    st.integers(0, 2**70).map(str),
    st.integers(0, 2**70).map(hex),
    st.tuples(st.integers(0, 2**41), st.integers(0, 2**41)).map(lambda pair: f"{pair[0]}-{pair[1]}"),
    st.sampled_from(["@all", "@core", "*", "boiler-*", "[", "[[a]", "[z-a]", "[!]", "0x", "@", "=", "0x_1"]),
    st.sampled_from(["risk", "state", "group", "driver", "name", "quarantined", "x"]).flatmap(
        lambda field: st.text(max_size=8).map(lambda value: f"{field}={value}")
    ),
    st.text(),
)  # fmt: skip


@given(st.lists(terms, max_size=4).map(",".join), st.booleans())
def test_no_text_whatever_raises_anything_but_our_errors(text: str, quarantined: bool) -> None:
    try:
        devices = chosen(text, quarantined=quarantined)
    except DSMILError as error:
        assert error.message
        assert error.exit_status == 2
        return
    assert all(item in FLEET for item in devices)


@given(st.lists(st.sampled_from(FLEET), min_size=1, unique=True))
def test_naming_devices_by_their_ids_gives_exactly_them_in_the_fleets_order(wanted: list[Device]) -> None:
    text = ",".join(item.shown_id for item in wanted)

    assert chosen(text) == tuple(item for item in FLEET if item in wanted)


@given(st.integers(0x7FF0, 0x8020), st.integers(0, 40))
def test_a_range_meets_exactly_the_ids_between_its_ends(first: int, length: int) -> None:
    inside = tuple(item for item in FLEET if item.device_id in range(first, first + length + 1))
    text = f"{first}-0x{first + length:X}"

    if inside:
        assert chosen(text) == inside
    else:
        with pytest.raises(DeviceNotFound):
            chosen(text)


@given(st.sampled_from(["@all", "boiler-*", "@core", "0x8000-0x8020"]), st.sampled_from(list(Risk)))
def test_a_filter_and_its_negation_part_a_selection_without_rest(text: str, risk: Risk) -> None:
    whole = chosen(text)

    parts = chosen(f"{text},risk={risk}") + chosen(f"{text},risk!={risk}")

    assert sorted(parts, key=FLEET.index) == list(whole)


def test_a_parsed_selector_is_a_value_that_keeps_what_was_typed() -> None:
    assert parse_selector("0x8000") == Selector("0x8000", ids=(0x8000,))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0x8030", (0x8030,)),
        ("32816,0x8030-0x8032", (0x8030, 0x8031, 0x8032)),
        ("0x8000-0x8009", tuple(range(0x8000, 0x800A))),
        ("0x8000-0x800A", None),
        ("boiler-1", None),
        ("0x8030,boiler-1", None),
        ("@core", None),
        ("0x80*", None),
        ("0x8030,risk=HIGH", None),
        ("@all", None),
    ],
)
def test_ids_are_known_without_devices_where_nothing_but_numbers_is_named(
    text: str, numbers: tuple[int, ...] | None
) -> None:
    assert parse_selector(text).numbers(most=10) == numbers


@pytest.mark.parametrize(
    ("text", "everything"),
    [("@all", True), ("*", True), ("@all,0x8030", True), ("risk=HIGH", False), ("0x8030", False)],
)
def test_everything_is_everything_whichever_devices_there_are(text: str, everything: bool) -> None:
    assert parse_selector(text).everything == everything
