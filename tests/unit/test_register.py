"""Registers: what a text means, what may be written, what a read-back shows, how a value is shown."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.errors import DSMILError, InvalidParameter
from dsmilctl.model.reading import Quality, judge
from dsmilctl.model.register import FLOATS, INTEGER_RANGES, Register, Value, find_register

TEMP = Register("TEMP", 3, unit="°C", minimum=0, maximum=125)
CONFIG = Register("CONFIG", 1, access="rw", hexadecimal=True)
SETPOINT = Register(
    "SETPOINT", 0x10, type="f64", unit="bar", access="rw", minimum=0.5, maximum=10.0, step=0.1
)
PUMP = Register("PUMP", 0x11, type="bool", access="rw")
MODE = Register("MODE", 0x12, type="str", access="rw", choices=("auto", "manual"))

types = st.sampled_from([*INTEGER_RANGES, *FLOATS, "bool", "str"])
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32)
registers = st.builds(
    Register,
    name=st.text(min_size=1),
    type=types,
    access=st.sampled_from(["ro", "rw", "wo"]),
    minimum=numbers,
    maximum=numbers,
    step=st.none() | st.floats(min_value=1e-3, max_value=1e6),
    hexadecimal=st.booleans(),
)
values: st.SearchStrategy[Value] = st.integers() | st.floats() | st.booleans() | st.text()


@pytest.mark.parametrize(
    ("register", "text", "value"),
    [
        (CONFIG, "5", 5),
        (CONFIG, "0x80000000", 0x8000_0000),
        (CONFIG, "0b101", 5),
        (SETPOINT, "2.5", 2.5),
        (SETPOINT, "2", 2.0),
        (PUMP, "on", True),
        (PUMP, "False", False),
        (MODE, "auto", "auto"),
    ],
)
def test_a_text_means_a_value_of_the_registers_type(register: Register, text: str, value: Value) -> None:
    parsed = register.parse(text)

    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("register", "text"),
    [(CONFIG, "five"), (CONFIG, "5.0"), (CONFIG, "0xZZ"), (CONFIG, ""), (SETPOINT, "warm"), (PUMP, "maybe")],
)
def test_a_text_of_another_type_is_refused_with_the_registers_name(register: Register, text: str) -> None:
    with pytest.raises(InvalidParameter, match=register.name) as refusal:
        register.parse(text)

    assert register.type in refusal.value.hint


@pytest.mark.parametrize(
    ("register", "value", "why"),
    [
        (CONFIG, -1, "outside"),
        (CONFIG, 2**32, "outside"),
        (CONFIG, True, "not of type u32"),
        (CONFIG, 1.5, "not of type u32"),
        (CONFIG, "1", "not of type u32"),
        (SETPOINT, 0.4, "outside"),
        (SETPOINT, 10.1, "outside"),
        (SETPOINT, 2.55, "not a multiple"),
        (SETPOINT, math.nan, "not a finite number"),
        (SETPOINT, math.inf, "not a finite number"),
        (PUMP, 1, "not of type bool"),
        (MODE, "turbo", "not one of auto, manual"),
        (Register("SMALL", type="i8", access="rw"), 128, "outside"),
        (Register("SHORT", type="f32", access="rw"), 1e300, "outside"),
        (Register("ANY", type="f64", access="rw"), 10**400, "outside"),
        pytest.param(CONFIG, 10**5000, "outside", id="huge"),
        (Register("WIDE", type="f64", access="rw", minimum=-1.7e308, step=0.001), 1.7e308, "not a multiple"),
    ],
)
def test_a_value_that_the_register_cannot_hold_is_refused_and_told_why(
    register: Register, value: Value, why: str
) -> None:
    with pytest.raises(InvalidParameter, match=why):
        register.check(value)


@pytest.mark.parametrize(
    ("register", "value"),
    [(CONFIG, 0), (CONFIG, 2**32 - 1), (SETPOINT, 0.5), (SETPOINT, 9.9), (PUMP, False), (MODE, "manual")],
)
def test_a_value_at_the_edge_of_what_is_allowed_passes(register: Register, value: Value) -> None:
    register.check(value)


def test_a_step_is_kept_far_from_zero_in_spite_of_rounding() -> None:
    fine = Register("FINE", type="f64", access="rw", step=0.1)

    for tenths in range(1, 100_000_000, 777_777):
        fine.check(tenths / 10)
    with pytest.raises(InvalidParameter, match="multiple"):
        fine.check(12_345_678.95)


@given(registers, values)
def test_checking_raises_nothing_but_our_errors(register: Register, value: Value) -> None:
    try:
        register.check(value)
    except DSMILError as error:
        assert isinstance(error, InvalidParameter)


@given(registers, st.text() | st.from_regex(r"(0x)?[0-9a-f]{1,6000}", fullmatch=True))
def test_what_is_parsed_and_passes_the_check_is_what_the_text_said(register: Register, text: str) -> None:
    try:
        value = register.parse(text)
        register.check(value)
    except InvalidParameter:
        return
    assert register.confirms(value, register.parse(text))


@given(registers, values, values)
def test_showing_judging_and_confirming_never_fail_on_a_strange_answer(
    register: Register, written: Value, read: Value
) -> None:
    assert isinstance(register.format(read), str)
    assert judge(register, read)[0] in Quality
    assert register.confirms(written, read) in (True, False)


@given(registers, st.integers())
def test_a_whole_number_confirms_itself_and_no_other(register: Register, value: int) -> None:
    exact = Register(register.name, type="i64")

    assert exact.confirms(value, value)
    assert not exact.confirms(value, value + 1)


def test_a_mask_compares_only_the_bits_that_the_device_keeps() -> None:
    masked = Register("CONTROL", access="rw", mask=0x0F)

    assert masked.confirms(0xF5, 0x05)
    assert not masked.confirms(0xF5, 0x06)


def test_a_tolerance_allows_a_device_to_round() -> None:
    rounding = Register("LEVEL", type="f64", access="rw", tolerance=0.05)

    assert rounding.confirms(1.0, 1.04)
    assert not rounding.confirms(1.0, 1.06)


def test_a_device_that_keeps_32_bit_floats_confirms_what_they_can_hold() -> None:
    single = Register("LEVEL", type="f32", access="rw")

    assert single.confirms(0.1, 0.10000000149011612)
    assert not single.confirms(0.1, 0.1001)


@pytest.mark.parametrize(
    ("register", "value", "text"),
    [
        (TEMP, 41, "41 °C"),
        (CONFIG, 5, "0x00000005"),
        (SETPOINT, 2.123456789, "2.12346 bar"),
        (PUMP, True, "True"),
        (TEMP, None, ""),
        pytest.param(TEMP, 10**5000, "a number of 16610 bits °C", id="huge"),
    ],
)
def test_a_value_is_shown_with_its_unit(register: Register, value: Value | None, text: str) -> None:
    assert register.format(value) == text


@pytest.mark.parametrize(
    ("value", "quality"),
    [
        (0, Quality.GOOD),
        (125, Quality.GOOD),
        (126, Quality.BAD),
        (4_000_000_000, Quality.BAD),
        (-1, Quality.BAD),
        (math.nan, Quality.BAD),
        (math.inf, Quality.BAD),
    ],
)
def test_a_measurement_that_cannot_be_is_bad(value: float, quality: Quality) -> None:
    judged, why = judge(TEMP, value)

    assert judged is quality
    assert bool(why) == (quality is Quality.BAD)


def test_what_can_be_written_is_a_wish_and_always_good() -> None:
    assert judge(SETPOINT, 1e9) == (Quality.GOOD, "")


@pytest.mark.parametrize("name", ["TEMP", "temp", "3", "0x03"])
def test_a_register_is_found_by_name_in_any_case_and_by_address(name: str) -> None:
    assert find_register([CONFIG, TEMP], name) is TEMP


def test_an_unknown_register_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InvalidParameter, match="TMP") as refusal:
        find_register([CONFIG, TEMP], "TMP")

    assert refusal.value.hint == "Did you mean TEMP?"


def test_an_unknown_register_like_no_other_is_refused_with_the_list() -> None:
    with pytest.raises(InvalidParameter) as refusal:
        find_register([CONFIG, TEMP], "xyzzy")

    assert refusal.value.hint == "Registers here: CONFIG, TEMP"


@given(st.text())
def test_looking_for_any_text_raises_nothing_but_our_errors(name: str) -> None:
    try:
        found = find_register([CONFIG, TEMP], name)
    except InvalidParameter:
        return
    assert found in (CONFIG, TEMP)
