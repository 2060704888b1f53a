"""Id ranges: many ids in few words, and the same devices when they are typed back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.commands.id_ranges import counted_ids, id_ranges
from dsmilctl.model.device import Device, show_id
from dsmilctl.model.selector import parse_selector, select


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([], "none"),
        (["0x8030"], "1: 0x8030"),
        (["0x8030", "0x8031"], "2: 0x8030-0x8031"),
        (["0x8002", "0x8000", "0x8001", "0x8010"], "4: 0x8000-0x8002, 0x8010"),
        ([f"0x{number:04X}" for number in range(0x8000, 0x8054)], "84: 0x8000-0x8053"),
        (["boiler-1", "0x8000", "0xylem", "driver sim"], "4: 0x8000, 0xylem, boiler-1, driver sim"),
    ],
)
def test_ids_are_counted_and_every_run_of_numbers_is_a_range(ids: list[str], said: str) -> None:
    assert counted_ids(ids) == said


@given(st.sets(st.integers(0x8000, 0x8200), min_size=1))
def test_the_ranges_are_a_selector_of_the_same_devices(numbers: set[int]) -> None:
    known = [Device(number, f"device {number}", "sim", ()) for number in range(0x8000, 0x8201)]

    found = select(
        parse_selector(id_ranges(map(show_id, numbers)).replace(" ", "")), known, lambda device_id: None
    )

    assert {device.device_id for device in found} == numbers
