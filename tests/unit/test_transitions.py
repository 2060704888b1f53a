"""The table of states is law: all 49 changes of state, each allowed or refused with both states named."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.drivers.transitions import ALLOWED, require
from dsmilctl.errors import DeviceBusy
from dsmilctl.model.device import DeviceState

LAW = {
    ("unknown", "discovered"),
    ("discovered", "initialized"),
    ("initialized", "connected"),
    ("initialized", "disconnected"),
    ("initialized", "error"),
    ("connected", "active"),
    ("connected", "disconnected"),
    ("connected", "error"),
    ("active", "connected"),
    ("active", "error"),
    ("error", "disconnected"),
    ("disconnected", "initialized"),
}
"""Written down a second time, so that a slip of the pen in the table is seen."""


@pytest.mark.parametrize(("old", "new"), product(DeviceState, DeviceState))
def test_every_change_of_state_is_as_the_law_says(old: DeviceState, new: DeviceState) -> None:
    if (old, new) in LAW:
        require(0x8000, old, new)
        return
    with pytest.raises(DeviceBusy) as refusal:
        require(0x8000, old, new)

    assert refusal.value.message == f"0x8000 cannot go from {old} to {new}"
    assert all(state in refusal.value.hint for state in ALLOWED[old])


def test_every_state_has_a_way_out_and_no_state_is_a_trap() -> None:
    assert set(ALLOWED) == set(DeviceState)
    assert all(ALLOWED.values())


@given(st.lists(st.sampled_from(DeviceState), max_size=40))
def test_a_device_that_obeys_the_table_can_always_be_connected_in_the_end(wishes: list[DeviceState]) -> None:
    state = DeviceState.UNKNOWN
    for wish in wishes:
        state = wish if wish in ALLOWED[state] else state

    assert DeviceState.CONNECTED in reachable(state)


def reachable(state: DeviceState) -> set[DeviceState]:
    met, ahead = {state}, [state]
    while ahead:
        for following in ALLOWED[ahead.pop()] - met:
            met.add(following)
            ahead.append(following)
    return met
