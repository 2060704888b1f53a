"""Stops while drivers cannot be loaded for a reason that nobody thought of."""

from __future__ import annotations

import pytest

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.config.paths import Paths
from dsmilctl.drivers.contract import Driver
from dsmilctl.model.emergency import StopOutcome
from dsmilctl.model.selector import parse_selector
from tests.rack import Lab, Rack, outcomes

STOPPED, UNCONFIRMED = StopOutcome.STOPPED, StopOutcome.UNCONFIRMED


def break_loading(lab: Lab, monkeypatch: pytest.MonkeyPatch, broken: str = "") -> None:
    """Let looking for a driver, or for any, fail with something that is none of our errors."""
    load = lab.registry.load

    def fail(name: str) -> type[Driver]:
        if broken in ("", name):
            raise RecursionError("a list within itself")
        return load(name)

    monkeypatch.setattr(lab.registry, "load", fail)


@pytest.mark.parametrize("selector", ["@all", "0x8000", "@pumps"])
async def test_a_stop_is_latched_and_journalled_and_names_the_drivers_that_cannot_be_loaded(
    home: Paths, selector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rack = Rack(1)
    lab = Lab(home, rack)
    client = lab.client()
    break_loading(lab, monkeypatch)

    stop = await client.stop_selected(parse_selector(selector), deadline=0.4)
    standing, records = await client.stops(), await client.audit(HistoryQuery())
    await client.close()

    by_name = {item.device_id: item for item in stop.confirmations}
    assert by_name["driver rack"].outcome is UNCONFIRMED
    assert by_name["driver rack"].error == "it could not be loaded: RecursionError: a list within itself"
    assert [item.stop_id for item in standing] == [stop.stop_id]
    assert [(item.action, item.outcome) for item in reversed(records)] == [
        ("emergency.stop", "INTENT"), ("emergency.stop", "FAILED"),
    ]  # fmt: skip


@pytest.mark.parametrize("selector", ["@all", "rack-0,shed-0", "@rack,@shed"])
async def test_the_devices_of_drivers_that_are_loaded_are_stopped(
    home: Paths, selector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rack, shed = Rack(1), Rack(1, name="shed")
    for item in (rack, shed):
        item.change(0, group=item.name)
    lab = Lab(home, rack, shed)
    client = lab.client()
    break_loading(lab, monkeypatch, "shed")

    stop = await client.stop_selected(parse_selector(selector), deadline=0.4)
    await client.close()

    assert outcomes(stop)["rack-0"] is STOPPED
    assert outcomes(stop)["driver shed"] is UNCONFIRMED
    assert rack.written() == [0, 0]


async def test_a_stop_in_a_process_that_has_its_drivers_needs_no_switches(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    rack = Rack(1)

    def broken() -> dict[str, str]:
        raise UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "no continuation")

    async with Lab(home, rack).client() as client:
        monkeypatch.setattr(client._fleet, "_disabled", broken)
        stop = await client.stop(deadline=0.4)

    assert outcomes(stop) == {"rack-0": STOPPED}
