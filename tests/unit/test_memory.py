"""Memory and switches: small files between one-shot commands, whose loss costs no more than they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.config.contexts import Context, DriverUse
from dsmilctl.config.paths import Paths
from dsmilctl.errors import (
    DeviceNotFound,
    DSMILError,
    EmergencyStopActive,
    NotFound,
    ReadOnly,
    StateUnavailable,
)
from dsmilctl.fleet.switches import Switch, Switches
from dsmilctl.guard.latch import UNREADABLE, Latch
from dsmilctl.model.device import DeviceState
from tests.rack import Lab, Rack
from tests.unit.test_latch import stop


def kept(home: Paths) -> Path:
    return home.state / "devices" / "lab.json"


async def test_a_state_is_known_to_the_next_command(home: Paths) -> None:
    rack = Rack(3)
    rack.faults["rack-1"] = "refused"
    lab = Lab(home, rack)
    async with lab.client() as client:
        await client.read(await client.devices())

    async with lab.client() as client:
        statuses = await client.statuses(await client.devices())
        assert rack.asked.count(("open", "rack-0")) == 1, "nothing was asked for it"

    assert [status.state for status in statuses] == [
        DeviceState.CONNECTED,
        DeviceState.ERROR,
        DeviceState.CONNECTED,
    ]
    assert "refuses" in statuses[1].reason
    assert statuses[0].last_seen
    assert kept(home).parent.stat().st_mode & 0o777 == 0o700


async def test_a_command_that_reaches_some_devices_keeps_what_was_known_of_the_others(home: Paths) -> None:
    rack = Rack(2)
    lab = Lab(home, rack)
    async with lab.client() as client:
        await client.read(await client.devices())
    async with lab.client() as client:
        await client.read([rack.devices[1]])

    async with lab.client() as client:
        statuses = await client.statuses(await client.devices())

    assert {status.state for status in statuses} == {DeviceState.CONNECTED}
    assert list(kept(home).parent.iterdir()) == [kept(home)], "no partial file stays"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'[{"device_id": 1}]', b"[" * 10_000])
async def test_a_damaged_memory_is_no_memory(home: Paths, content: bytes) -> None:
    kept(home).parent.mkdir(parents=True)
    kept(home).write_bytes(content)
    rack = Rack(1)

    async with Lab(home, rack).client() as client:
        devices = await client.devices()
        (before,) = await client.statuses(devices)
        await client.read(devices)
    async with Lab(home, rack).client() as client:
        (after,) = await client.statuses(devices)

    assert (before.state, after.state) == (DeviceState.DISCOVERED, DeviceState.CONNECTED)


async def test_a_memory_that_cannot_be_written_fails_nothing(home: Paths) -> None:
    home.state.mkdir(parents=True)
    kept(home).parent.write_text("a file where the folder should be")

    async with Lab(home, Rack(1)).client() as client:
        readings = await client.read(await client.devices())

    assert readings[0].good


async def test_a_disabled_driver_is_named_with_how_to_enable_it(home: Paths) -> None:
    rack, other = Rack(1), Rack(1, name="other")
    lab = Lab(home, rack, other)
    async with lab.client() as client:
        await client.lifecycle("connect", await client.devices())
        info = await client.set_driver("other", enabled=False, reason="being rewired")
        assert [device.device_id for device in await client.devices()] == ["rack-0"]
        assert other.asked[-1] == ("close", "other-0")

    async with lab.client() as client:
        assert [device.device_id for device in await client.devices()] == ["rack-0"]
        with pytest.raises(DeviceNotFound, match="driver other is disabled: being rewired") as missing:
            await client.statuses(other.devices)
        (described,) = [item for item in await client.drivers() if item.name == "other"]
        await client.set_driver("other", enabled=True, reason="")
    async with lab.client() as client:
        assert len(await client.devices()) == 2

    assert missing.value.hint == "dsmilctl driver enable other"
    assert not info.enabled
    assert (described.enabled, described.reason) == (False, "being rewired")
    assert described.changed


async def test_where_every_driver_is_disabled_a_selection_of_everything_says_so(home: Paths) -> None:
    lab = Lab(home, Rack(1))
    async with lab.client() as client:
        await client.set_driver("rack", enabled=False, reason="")

    async with lab.client() as client:
        with pytest.raises(DeviceNotFound, match="driver rack is disabled") as missing:
            await client.devices()

    assert missing.value.hint == "dsmilctl driver enable rack"


async def test_switching_is_a_change_like_others_refused_read_only_and_journalled(home: Paths) -> None:
    lab = Lab(home, Rack(1))

    async with lab.client() as client, lab.client(read_only=True) as reader:
        with pytest.raises(ReadOnly):
            await reader.set_driver("rack", enabled=False, reason="x")
        with pytest.raises(NotFound, match="no driver 'rakc'"):
            await client.set_driver("rakc", enabled=False, reason="x")
        await client.set_driver("rack", enabled=False, reason="being rewired")
        await client.set_driver("rack", enabled=True, reason="")
        records = list(reversed(await client.audit(HistoryQuery())))

    assert [(record.action, record.outcome) for record in records] == [
        ("driver.disable", "DENIED"),
        ("driver.disable", "INTENT"),
        ("driver.disable", "SUCCESS"),
        ("driver.enable", "INTENT"),
        ("driver.enable", "SUCCESS"),
    ]
    assert records[1].parameters["reason"] == "being rewired"


async def test_under_a_stop_no_driver_is_disabled_and_nothing_forgotten_but_one_may_be_enabled(
    home: Paths,
) -> None:
    rack = Rack(1)

    async with Lab(home, rack).client() as client:
        await client.stop()
        for change in (client.set_driver("rack", enabled=False, reason="x"), client.forget()):
            with pytest.raises(EmergencyStopActive):
                await change
        assert (await client.set_driver("rack", enabled=True, reason="x")).enabled


async def refused(lab: Lab) -> EmergencyStopActive:
    """Why a driver cannot be disabled; it is not, then, and may be enabled."""
    async with lab.client() as client:
        with pytest.raises(EmergencyStopActive) as found:
            await client.set_driver("rack", enabled=False, reason="being rewired")
        assert all(driver.enabled for driver in await client.drivers())
        await client.set_driver("rack", enabled=True, reason="")
    return found.value


async def test_a_driver_is_not_disabled_while_any_fleet_is_under_a_stop(home: Paths) -> None:
    """Who opens that fleet next could not stop its devices any more."""
    rack = Rack(1)
    lab, plant = Lab(home, rack), Lab(home, rack)
    plant.context = Context(name="sim", drivers=(DriverUse("rack"),), target="racks", fleet="sim")
    async with plant.client() as client:
        stop = await client.stop(reason="smoke")
        error = await refused(lab)
        assert "context sim is under" in error.message
        assert (error.details["stop_id"], error.hint.split(",")[0]) == (
            stop.stop_id,
            "dsmilctl -C sim emergency status",
        )
        await client.release(justification="the smoke was steam")
    async with lab.client() as client:
        assert not (await client.set_driver("rack", enabled=False, reason="being rewired")).enabled


@pytest.mark.parametrize("where", ["state/latch", "run/latch"])
@pytest.mark.parametrize("kind", ["stop", "damaged", "file", "link", "folders are a file"])
async def test_a_stop_of_a_fleet_without_a_context_or_what_cannot_be_read_keeps_drivers_enabled(
    home: Paths, where: str, kind: str
) -> None:
    root = home.state.parent / where
    lab = Lab(home, Rack(1))
    if kind == "folders are a file":
        root.parent.mkdir(parents=True)
        root.write_text("")
    elif kind == "stop":
        Latch(root, "named-hall").engage(stop())
    else:
        (root / "named-hall.history").mkdir(parents=True)
        if kind == "damaged":
            (root / "named-hall").mkdir()
            (root / "named-hall" / "stop-1.json").write_bytes(b"{")
        elif kind == "file":
            (root / "named-hall").write_text("")
        else:
            (root / "named-hall").symlink_to(home.state / "not mounted")

    assert (await refused(lab)).details["stop_id"] == ("stop-1" if kind == "stop" else UNREADABLE)


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"rack": 1}'])
async def test_damaged_switches_open_no_driver(home: Paths, content: bytes) -> None:
    """Somebody may have disabled one for a good reason."""
    home.state.mkdir(parents=True)
    home.driver_switches_file.write_bytes(content)
    client = Lab(home, Rack(1)).client()

    with pytest.raises(StateUnavailable, match=r"drivers\.json") as refused:
        await client.open()

    assert "mend or remove" in refused.value.hint


def test_switches_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DSMILError):
        Switches(tmp_path / "file" / "drivers.json").set("sim", Switch(False, "", 0))
