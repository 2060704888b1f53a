"""The local client: what every face may ask of a fleet in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.client.interface import LIFECYCLE_VERBS, HistoryQuery
from dsmilctl.client.local import LocalClient
from dsmilctl.config.paths import Paths
from dsmilctl.errors import DSMILError, InvalidParameter, NotFound, PermissionDenied, ReadOnly
from dsmilctl.model.device import DeviceState
from dsmilctl.model.event import Event
from dsmilctl.model.identity import Clearance, Identity
from dsmilctl.model.operation import OperationType
from dsmilctl.model.reading import Batch, Gap, Quality, Span
from dsmilctl.model.selector import parse_selector
from tests.rack import Lab, Rack, order, write
from tests.watchdog import Watchdog

pytestmark = pytest.mark.usefixtures("watchdog")
Act = Callable[[LocalClient, Rack], Coroutine[Any, Any, object]]


async def test_a_read_of_a_quarantined_device_is_denied_in_its_place_and_journalled(home: Paths) -> None:
    rack = Rack(3)
    rack.change(1, quarantined=True)

    async with Lab(home, rack).client() as client:
        readings = await client.read(rack.devices, ["LEVEL", "MODE"])
        records = await client.audit(HistoryQuery())

    assert [(item.device_id, item.error_code) for item in readings] == [
        ("rack-0", ""), ("rack-0", ""), ("rack-1", "DEVICE_QUARANTINED"), ("rack-1", "DEVICE_QUARANTINED"),
        ("rack-2", ""), ("rack-2", ""),
    ]  # fmt: skip
    assert [(item.action, item.target, item.decision) for item in records] == [
        ("device.read", "rack-1", "DENIED")
    ]
    assert ("read", "rack-1") not in rack.asked


async def test_a_read_of_devices_that_fail_answers_for_each_and_never_raises(home: Paths) -> None:
    rack = Rack(4)
    rack.faults |= {"rack-1": "refused", ("rack-2", "read"): "broken", "rack-3": "silent"}

    async with Lab(home, rack).client(timeout=0.1) as client:
        readings = await client.read(rack.devices, ["LEVEL"])

    assert [item.quality for item in readings] == [Quality.GOOD, Quality.BAD, Quality.BAD, Quality.BAD]
    assert [item.error_code for item in readings] == ["", "NETWORK_ERROR", "HARDWARE_ERROR", "NETWORK_ERROR"]


async def test_a_span_is_refused_by_a_driver_that_reads_whole_registers(home: Paths) -> None:
    async with Lab(home, Rack(1)).client() as client:
        (reading,) = await client.read(await client.devices(), ["LEVEL"], span=Span(0, 2))

    assert reading.error_code == "INVALID_PARAMETER"


EVERY_CHANGE: dict[str, Act] = {
    "write": lambda client, rack: client.change(write("rack-0")),
    "dry run": lambda client, rack: client.change(write("rack-0", dry_run=True)),
    "activate": lambda client, rack: client.change(order("rack-0", OperationType.ACTIVATE)),
    "reset": lambda client, rack: client.change(order("rack-0", OperationType.RESET)),
    "command": lambda client, rack: client.change(order("rack-0", OperationType.COMMAND, "whoami")),
    "release": lambda client, rack: client.release(justification="the smoke was steam"),
    "forget": lambda client, rack: client.forget(),
    "disable": lambda client, rack: client.set_driver("rack", enabled=False, reason="x"),
    "enable": lambda client, rack: client.set_driver("rack", enabled=True, reason="x"),
}
EVERY_READ: dict[str, Act] = {
    "read": lambda client, rack: client.read(rack.devices),
    "devices": lambda client, rack: client.devices(),
    "statuses": lambda client, rack: client.statuses(rack.devices),
    "stops": lambda client, rack: client.stops(),
    "history": lambda client, rack: client.stop_history(),
    "audit": lambda client, rack: client.audit(HistoryQuery()),
    "verify": lambda client, rack: client.audit_verify(),
    "drivers": lambda client, rack: client.drivers(),
    "status": lambda client, rack: client.system_status(),
    "capabilities": lambda client, rack: client.capabilities(),
    "health": lambda client, rack: client.health(),
    "stream": lambda client, rack: anext(client.stream(rack.devices, interval=0.01)),
}


@pytest.mark.parametrize("name", EVERY_CHANGE)
async def test_a_read_only_client_refuses_every_change_and_journals_it(home: Paths, name: str) -> None:
    rack = Rack(1)

    async with Lab(home, rack).client(read_only=True) as client:
        with pytest.raises(ReadOnly):
            await EVERY_CHANGE[name](client, rack)
        records = await client.audit(HistoryQuery())

    assert [record.decision for record in records] == ([] if name == "dry run" else ["DENIED"])
    assert rack.wire == []


async def test_a_read_only_client_reads_everything_and_moves_the_lifecycle_and_no_driver_is_written_to(
    home: Paths,
) -> None:
    rack = Rack(2)

    async with Lab(home, rack).client(read_only=True) as client:
        for act in EVERY_READ.values():
            await act(client, rack)
        for verb in LIFECYCLE_VERBS:
            await client.lifecycle(verb, rack.devices)
        results = (await client.change_many([write("rack-0"), write("rack-1")])).results

    assert {operation.error_code for operation in results} == {"READ_ONLY"}
    assert rack.wire == []
    assert {verb for verb, _ in rack.asked} == {"open", "close", "read"}


async def test_lifecycle_verbs_walk_the_table_and_tell_what_failed(home: Paths) -> None:
    rack = Rack(2)
    rack.faults["rack-1"] = "refused"

    async with Lab(home, rack).client() as client:
        walked = {}
        for verb in ("state", "initialize", "connect", "disconnect", "cleanup"):
            walked[verb] = [
                (status.state, bool(status.reason)) for status in await client.lifecycle(verb, rack.devices)
            ]

    assert walked == {
        "state": [(DeviceState.DISCOVERED, False)] * 2,
        "initialize": [(DeviceState.INITIALIZED, False)] * 2,
        "connect": [(DeviceState.CONNECTED, False), (DeviceState.ERROR, True)],
        "disconnect": [(DeviceState.DISCONNECTED, False), (DeviceState.ERROR, True)],
        "cleanup": [(DeviceState.DISCONNECTED, False), (DeviceState.DISCONNECTED, True)],
    }


async def test_lifecycle_verbs_leave_quarantined_devices_alone(home: Paths) -> None:
    rack = Rack(2)
    rack.change(0, quarantined=True)

    async with Lab(home, rack).client() as client:
        for verb in ("initialize", "connect", "disconnect", "cleanup"):
            statuses = await client.lifecycle(verb, rack.devices)
            assert "is quarantined" in statuses[0].reason
        denied = await client.audit(HistoryQuery())
        with pytest.raises(InvalidParameter, match="no lifecycle verb 'conect'"):
            await client.lifecycle("conect", rack.devices)

    assert {record.action for record in denied} == {
        "device.initialize",
        "device.connect",
        "device.disconnect",
        "device.cleanup",
    }
    assert {device for _, device in rack.asked} == {"rack-1"}


async def test_a_stream_ends_without_leaving_a_task_behind(home: Paths) -> None:
    rack = Rack(3)
    rack.faults["rack-1", "read"] = "silent"

    async with Lab(home, rack).client(timeout=60) as client:
        before = asyncio.all_tasks()
        stream = client.stream(rack.devices, ["LEVEL"], interval=0.01)
        for _ in range(3):
            assert isinstance(await anext(stream), Batch)
        await stream.aclose()

        assert asyncio.all_tasks() == before


async def test_a_receiver_that_is_too_slow_gets_a_gap_and_then_everything_again(home: Paths) -> None:
    rack = Rack(2)

    async with Lab(home, rack, batch=True).client() as client:
        stream = client.stream(rack.devices, ["LEVEL"], interval=0.01, changes_only=True)
        first = await anext(stream)
        for number in range(100):
            rack.values["rack-0", "LEVEL"] = number
            await asyncio.sleep(0.011)
        items = [await anext(stream) for _ in range(80)]
        await stream.aclose()

    assert isinstance(first, Batch)
    assert len(first.readings) == 2
    gap = items[0]
    assert isinstance(gap, Gap)
    assert gap.missed >= 20
    full = [item for item in items[1:] if isinstance(item, Batch) and len(item.readings) == 2]
    assert full, "after a gap everything is handed out again"


async def test_a_stream_leaves_quarantined_devices_out_and_ends_when_polling_breaks(home: Paths) -> None:
    rack = Rack(2)
    rack.change(0, quarantined=True)

    async with Lab(home, rack, batch=True).client() as client:
        stream = client.stream(rack.devices, ["LEVEL"], interval=0.01)
        batch = await anext(stream)
        await stream.aclose()
        with pytest.raises(InvalidParameter, match="no interval of 0 s"):
            await anext(client.stream(rack.devices, interval=0))
        with pytest.raises(InvalidParameter, match="no register 'X'"):
            await anext(client.stream(rack.devices, ["X"]))

    assert isinstance(batch, Batch)
    assert [reading.device_id for reading in batch.readings] == ["rack-1"]


async def test_events_are_heard_from_the_call_on(home: Paths) -> None:
    rack = Rack(1)
    rack.faults["rack-0"] = "refused"

    async with Lab(home, rack).client() as client:
        events = client.events()
        await client.read(rack.devices)
        event = await anext(events)
        await events.aclose()

    assert isinstance(event, Event)
    assert (event.type, event.device_id) == ("device.state", "rack-0")


async def test_a_journal_that_fails_is_announced_once_and_once_more_when_it_works_again(home: Paths) -> None:
    rack = Rack(1)
    lock = home.journal_folder / "journal.lock"
    lock.mkdir(parents=True)

    async with Lab(home, rack).client() as client:
        events = client.events()
        for _ in range(3):
            with pytest.raises(DSMILError):
                await client.change(write("rack-0"))
        assert (await client.health())["components"]["journal"] != "ok"
        lock.rmdir()
        await client.change(write("rack-0"))
        first, second = await anext(events), await anext(events)
        await events.aclose()

    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert "changes are refused" in first.message
    assert "can be written again" in second.message


async def test_the_status_counts_devices_stops_and_answers(home: Paths) -> None:
    rack = Rack(4)
    rack.change(0, quarantined=True)
    rack.faults["rack-1"] = "refused"

    async with Lab(home, rack).client() as client:
        await client.read(rack.devices)
        before = await client.system_status()
        await client.stop(rack.devices[2:3])
        after = await client.system_status()

    assert before["device_summary"] == {
        "total_devices": 4,
        "active_devices": 2,
        "quarantined_devices": 1,
        "error_devices": 1,
    }
    assert (before["overall_status"], after["overall_status"]) == ("WARNING", "EMERGENCY")
    assert before["performance_metrics"]["reads"] == 2
    assert before["performance_metrics"]["errors"] == 1
    assert before["performance_metrics"]["avg_response_time_ms"] >= 0
    assert after["security_status"]["emergency_stop_active"]


async def test_health_names_a_latch_that_cannot_be_read(home: Paths) -> None:
    (home.latch_folder / "lab").mkdir(parents=True)
    (home.latch_folder / "lab" / "stop-1.json").write_text("{")

    async with Lab(home, Rack(1)).client() as client:
        health = await client.health()

    assert health["status"] == "unhealthy"
    assert "cannot be read" in health["components"]["latch"]
    assert health["emergency_stop_active"]


async def test_capabilities_tell_operations_drivers_and_limits(home: Paths) -> None:
    async with Lab(home, Rack(1)).client(timeout=0.5) as client:
        found = await client.capabilities()

    assert found["drivers"]["rack"]["commands"] == ["activate", "configure", "purge", "whoami"]
    assert found["limits"] == {
        "deadline_s": 0.5,
        "justification": [10, 512],
        "requests_per_minute": None,
        "concurrent_operations": None,
    }
    assert "write" in found["driver_capabilities"]


async def test_the_anchor_of_the_journal_is_written_and_verified(home: Paths, tmp_path: Path) -> None:
    async with Lab(home, Rack(1)).client() as client:
        await client.change(write("rack-0"))
        anchor = await client.audit_export(tmp_path / "anchor.json")
        await client.change(write("rack-0", value=10))
        verdict = await client.audit_verify(anchor["hash"])
        restarted = await client.audit_restart("a test of the restart")

    assert anchor["records"] == 2
    assert verdict.intact
    assert (restarted.action, restarted.context) == ("journal.restart", "lab")


async def test_a_restart_of_the_journal_is_barred_like_a_change(home: Paths) -> None:
    lab = Lab(home, Rack(1))
    async with lab.client(read_only=True) as client:
        with pytest.raises(ReadOnly):
            await client.audit_restart("it looks odd")
    lab.policy("{version: 1, clearance: {CONFIG: TOP_SECRET}}")
    async with lab.client(identity=Identity("bob", "bench", Clearance.SECRET)) as client:
        with pytest.raises(PermissionDenied):
            await client.audit_restart("it looks odd")
        found = await client.audit(HistoryQuery())

    assert [(record.action, record.outcome) for record in found] == [("journal.restart", "DENIED")] * 2
    assert len(list(home.journal_folder.glob("journal-*.jsonl"))) == 1


async def test_a_stop_does_not_keep_the_journal_from_being_restarted(home: Paths) -> None:
    async with Lab(home, Rack(1)).client() as client:
        await client.stop(reason="smoke")

        assert (await client.audit_restart("a new disk")).outcome == "SUCCESS"


async def test_a_client_that_could_not_be_opened_can_be_closed_and_opened_again(home: Paths) -> None:
    rack = Rack(1)
    lab = Lab(home, rack)
    del lab.registry._kinds["rack"]
    client = lab.client()
    with pytest.raises(NotFound):
        await client.open()
    await client.close()

    lab.registry._kinds["rack"] = rack.driver()

    async with client:
        assert len(await client.devices(parse_selector("@all"))) == 1


async def test_thousands_of_devices_are_read_streamed_and_counted_without_blocking(
    home: Paths, watchdog: Watchdog
) -> None:
    rack = Rack(2000)

    async with Lab(home, rack, batch=True).client(timeout=5) as client:
        readings = await client.read(rack.devices, ["LEVEL", "MODE"])
        stream = client.stream(rack.devices, ["LEVEL"], interval=0.2)
        batches = [await anext(stream) for _ in range(3)]
        await stream.aclose()
        status = await client.system_status()

    assert len(readings) == 4000
    assert [len(item.readings) for item in batches if isinstance(item, Batch)] == [2000] * 3
    assert status["device_summary"]["total_devices"] == 2000
    assert watchdog.longest > 0
