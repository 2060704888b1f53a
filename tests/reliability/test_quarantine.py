"""Quarantine and damaged state: what is not known to be allowed is refused, and reads go on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.client.local import LocalClient
from dsmilctl.config.paths import Paths
from dsmilctl.errors import DSMILError
from dsmilctl.model.operation import BulkResult, Operation, OperationType
from tests.rack import Lab, Rack, RackDriver, order, write

Verb = Callable[[LocalClient, Rack], Coroutine[Any, Any, object]]


def ordered(kind: OperationType, command: str = "", **facts: Any) -> Verb:
    return lambda client, rack: client.change(order("rack-0", kind, command, **facts))


VERBS: dict[str, Verb] = {
    "write": lambda client, rack: client.change(write("rack-0")),
    "write, dry run": lambda client, rack: client.change(write("rack-0", dry_run=True)),
    "write with an approval": lambda client, rack: client.change(write("rack-0", approval="appr-1")),
    "bulk": lambda client, rack: client.change_many([write("rack-0"), write("rack-0", "MODE", 1)]),
    "reset": ordered(OperationType.RESET),
    "configure": ordered(OperationType.CONFIG),
    "activate": ordered(OperationType.ACTIVATE),
    "deactivate": ordered(OperationType.DEACTIVATE),
    **{name: ordered(OperationType.COMMAND, name) for name in RackDriver.commands},
}


def refusals(result: object) -> set[str]:
    assert isinstance(result, BulkResult), result
    return {operation.error_code for operation in result.results}


@pytest.mark.parametrize("name", VERBS)
async def test_every_verb_on_a_quarantined_device_is_refused(home: Paths, name: str) -> None:
    rack = Rack(1)
    rack.change(0, quarantined=True)

    async with Lab(home, rack).client() as client:
        try:
            codes = refusals(await VERBS[name](client, rack))
        except DSMILError as refusal:
            codes = {refusal.code}

    assert codes == {"DEVICE_QUARANTINED"}
    assert rack.asked == [], "the device was not even spoken to"


async def test_a_quarantined_device_is_neither_read_nor_streamed_nor_moved(home: Paths) -> None:
    rack = Rack(2)
    rack.change(0, quarantined=True)

    async with Lab(home, rack).client() as client:
        (reading,) = await client.read(rack.devices[:1])
        stream = client.stream(rack.devices, interval=0.01)
        for _ in range(3):
            await anext(stream)
        await stream.aclose()
        for verb in ("initialize", "connect", "disconnect", "cleanup"):
            await client.lifecycle(verb, rack.devices[:1])
        denied = await client.audit(HistoryQuery(outcome="DENIED"))

    assert reading.error_code == "DEVICE_QUARANTINED"
    assert {device for _, device in rack.asked} == {"rack-1"}
    assert len(denied) == 6


async def test_an_emergency_stop_reaches_quarantined_devices_too(home: Paths) -> None:
    rack = Rack(2)
    rack.change(0, quarantined=True)

    async with Lab(home, rack).client() as client:
        stop = await client.stop()

    assert set(stop.confirmed) == {"rack-0", "rack-1"}


def cut_short(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "stop-1.json").write_text('{"stop_id": "stop-1", "sco')


def a_file_instead(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("")


@pytest.mark.parametrize("damage", [cut_short, a_file_instead])
async def test_a_latch_that_cannot_be_read_counts_as_a_stop_of_everything(
    home: Paths, damage: Callable[[Path], None]
) -> None:
    rack = Rack(2)
    damage(home.latch_folder / "lab")

    async with Lab(home, rack).client() as client:
        for device in rack.devices:
            with pytest.raises(DSMILError) as refused:
                await client.change(write(device.device_id))
            assert refused.value.code == "EMERGENCY_STOP"
        readings = await client.read(rack.devices, ["LEVEL"])

    assert all(reading.good for reading in readings)
    assert rack.wire == []


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _rates(home: Paths) -> None:
    _put(home.policy_file, "{version: 1, rates: {WRITE: {capacity: 9, per_seconds: 60}}}")
    (home.state / "rates.json").mkdir(parents=True)


DAMAGES: dict[str, Callable[[Paths], None]] = {
    "policy": lambda home: _put(home.policy_file, "{"),
    "policy empty": lambda home: _put(home.policy_file, ""),
    "journal": lambda home: _put(home.journal_folder / "journal-000001.jsonl", "no record\n"),
    "journal lock": lambda home: (home.journal_folder / "journal.lock").mkdir(parents=True),
    "rates": _rates,
    "holds": lambda home: (home.state / "holds" / "lab.lock").mkdir(parents=True),
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_damaged_state_refuses_changes_dry_runs_included_and_lets_reads_and_stops_pass(
    home: Paths, name: str
) -> None:
    rack = Rack(2)
    DAMAGES[name](home)

    async with Lab(home, rack).client() as client:
        for dry_run in (True, False):
            with pytest.raises(DSMILError) as refused:
                await client.change(write("rack-0", dry_run=dry_run))
            assert refused.value.code == "STATE_UNAVAILABLE"
            assert refused.value.hint
        result = await client.change_many([write("rack-0"), write("rack-1")])
        readings = await client.read(rack.devices, ["LEVEL"])
        before = list(rack.wire)
        stop = await client.stop()

    assert refusals(result) == {"STATE_UNAVAILABLE"}
    assert all(reading.good for reading in readings)
    assert before == []
    assert stop.unconfirmed == ()


async def test_a_state_folder_that_is_a_file_refuses_changes_and_lets_reads_pass(home: Paths) -> None:
    rack = Rack(1)
    _put(home.state, "")

    async with Lab(home, rack).client() as client:
        with pytest.raises(DSMILError) as refused:
            await client.change(write("rack-0"))
        (reading,) = await client.read(rack.devices, ["LEVEL"])
        stop = await client.stop()

    assert refused.value.code in ("STATE_UNAVAILABLE", "EMERGENCY_STOP")
    assert reading.good
    assert stop.unconfirmed == ()
    assert rack.written("LEVEL") == [0]


async def test_a_bulk_of_good_and_quarantined_devices_changes_the_good_ones(home: Paths) -> None:
    rack = Rack(3)
    rack.change(1, quarantined=True)

    async with Lab(home, rack).client() as client:
        result = await client.change_many([write(device.device_id) for device in rack.devices])

    assert [operation.success for operation in result.results] == [True, False, True]
    assert all(isinstance(operation, Operation) for operation in result.results)
