"""Many changes at once: each is judged and journalled like one, and one that fails hurts no other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from dsmilctl.client.interface import BulkOptions, HistoryQuery
from dsmilctl.config.paths import Paths
from dsmilctl.errors import NotFound
from dsmilctl.model.device import Risk
from dsmilctl.model.operation import BulkResult, Operation, OperationStatus, OperationType
from tests.rack import Lab, Rack, order, write
from tests.watchdog import Watchdog

STATUS = OperationStatus


def statuses(result: BulkResult) -> list[OperationStatus]:
    return [operation.status for operation in result.results]


async def test_refused_failed_and_lost_changes_are_results_in_the_order_asked_for(
    home: Paths,
) -> None:
    rack = Rack(6)
    rack.change(1, quarantined=True)
    rack.faults["rack-2", "write"] = "mute"
    rack.faults["rack-3", "write"] = "broken"
    rack.faults["rack-4"] = "refused"
    requests = [write(f"rack-{number}", value=10) for number in (5, 4, 3, 2, 1, 0)] + [write("stranger")]
    requests.append(write("rack-0", value=7))

    async with Lab(home, rack).client(timeout=0.2) as client:
        result = await client.change_many(requests)

    assert statuses(result) == [
        STATUS.SUCCESS,
        STATUS.FAILED,
        STATUS.FAILED,
        STATUS.TIMEOUT,
        STATUS.DENIED,
        STATUS.SUCCESS,
        STATUS.DENIED,
        STATUS.DENIED,
    ]
    assert [operation.error_code for operation in result.results] == [
        "",
        "NETWORK_ERROR",
        "HARDWARE_ERROR",
        "TIMEOUT",
        "DEVICE_QUARANTINED",
        "",
        "DEVICE_NOT_FOUND",
        "INVALID_PARAMETER",
    ]
    assert result.status == "PARTIAL"
    assert (result.summary.total, result.summary.successful, result.summary.timeouts) == (8, 2, 1)
    assert sorted(telegram.device_id for telegram in rack.wire if telegram.value == 10) == [
        "rack-0",
        "rack-2",
        "rack-5",
    ]


async def test_every_intent_is_journalled_before_the_first_device_is_told(home: Paths) -> None:
    rack = Rack(20)

    async with Lab(home, rack).client() as client:
        result = await client.change_many([write(device.device_id) for device in rack.devices])
        records = list(reversed(await client.audit(HistoryQuery(limit=0))))

    intents = [record for record in records if record.outcome == "INTENT"]
    assert len(intents) == len(records) - len(intents) == 20
    assert max(record.time for record in intents) <= min(telegram.time for telegram in rack.wire)
    assert {record.parameters["bulk"] for record in intents} == {result.id}


async def test_the_changes_of_one_device_come_one_after_the_other_and_each_is_read_back(home: Paths) -> None:
    rack = Rack(2)
    rack.faults["rack-0", "write"] = "slow"
    requests = [write("rack-0", value=value) for value in range(5, 30, 5)] + [write("rack-1")]

    async with Lab(home, rack).client(timeout=2) as client:
        result = await client.change_many(requests)

    assert statuses(result) == [STATUS.SUCCESS] * 6
    assert [item.value for item in rack.wire if item.device_id == "rack-0"] == [5, 10, 15, 20, 25]
    assert [operation.read_back for operation in result.results[:5]] == [5, 10, 15, 20, 25]
    assert rack.most_at_work == 1


async def test_one_after_the_other_means_the_order_asked_for(home: Paths) -> None:
    rack = Rack(3)
    wanted = ["rack-2", "rack-0", "rack-2", "rack-1", "rack-0"]

    async with Lab(home, rack).client() as client:
        await client.change_many([write(name) for name in wanted], options=BulkOptions(concurrency=1))

    assert [item.device_id for item in rack.wire] == wanted


async def test_a_slow_device_does_not_hold_up_the_others(home: Paths) -> None:
    rack = Rack(10)
    rack.faults["rack-0", "write"] = "silent"
    ended: list[Operation] = []

    async with Lab(home, rack).client(timeout=1) as client:
        result = await client.change_many(
            [write(device.device_id) for device in rack.devices], progress=ended.append
        )

    assert [operation.device_id for operation in ended][-1] == "rack-0"
    assert statuses(result) == [STATUS.TIMEOUT] + [STATUS.SUCCESS] * 9
    assert max(operation.duration_ms for operation in result.results[1:]) < 900


async def test_after_a_failure_nothing_new_is_begun_where_that_was_asked_for(home: Paths) -> None:
    rack = Rack(5)
    rack.faults["rack-1", "write"] = "broken"

    async with Lab(home, rack).client() as client:
        result = await client.change_many(
            [write(device.device_id) for device in rack.devices],
            options=BulkOptions(concurrency=1, stop_on_error=True),
        )
        records = await client.audit(HistoryQuery(limit=0))

    assert statuses(result) == [STATUS.SUCCESS, STATUS.FAILED] + [STATUS.DENIED] * 3
    assert {operation.error for operation in result.results[2:]} == {"not begun: an earlier change failed"}
    assert [item.device_id for item in rack.wire] == ["rack-0"]
    assert sorted(record.outcome for record in records if record.outcome != "INTENT") == sorted(
        ["SUCCESS", "FAILED", "DENIED", "DENIED", "DENIED"]
    )


async def test_when_the_time_of_a_bulk_is_over_only_what_is_under_way_is_unknown(home: Paths) -> None:
    rack = Rack(5)
    rack.faults["rack-1", "write"] = "mute"
    told: list[OperationStatus] = []

    async with Lab(home, rack).client(timeout=30) as client:
        result = await client.change_many(
            [write(device.device_id) for device in rack.devices],
            options=BulkOptions(concurrency=1, timeout=0.5),
            progress=lambda operation: told.append(operation.status),
        )
        kept = await client.bulk(result.id)
        records = await client.audit(HistoryQuery(limit=0))
        undo = await client.undo_requests(result.id)

    assert statuses(result) == [STATUS.SUCCESS, STATUS.TIMEOUT] + [STATUS.DENIED] * 3
    assert [operation.error_code for operation in result.results] == ["", "TIMEOUT"] + ["REFUSED"] * 3
    assert "outcome is unknown" in result.results[1].error
    assert {operation.error for operation in result.results[2:]} == {
        "not begun: the time of the bulk was over"
    }
    assert [item.device_id for item in rack.wire] == ["rack-0", "rack-1"]
    assert statuses(kept) == statuses(result)
    assert told == statuses(result)
    ended = {record.target: record.outcome for record in records if record.outcome != "INTENT"}
    assert ended == {"rack-0": "SUCCESS", "rack-1": "UNKNOWN"} | dict.fromkeys(
        ("rack-2", "rack-3", "rack-4"), "DENIED"
    )
    assert [request.device_id for request in undo] == ["rack-1", "rack-0"]


async def test_a_bulk_whose_time_is_over_before_the_devices_answered_begins_nothing(home: Paths) -> None:
    rack = Rack(3)
    rack.faults["rack-0", "read"] = "silent"

    async with Lab(home, rack).client(timeout=30) as client:
        result = await client.change_many(
            [write(device.device_id) for device in rack.devices], options=BulkOptions(timeout=0.2)
        )
        again = await client.change_many([write("rack-1")])

    assert [operation.error_code for operation in result.results] == ["REFUSED"] * 3
    assert again.status == "COMPLETED", "the devices are held no longer"
    assert [item.device_id for item in rack.wire] == ["rack-1"]


async def test_no_more_devices_are_told_at_once_than_was_asked_for(home: Paths) -> None:
    rack = Rack(12)
    at_once: list[int] = []
    for device in rack.devices:
        rack.faults[device.device_id, "write"] = "slow"

    def watch(operation: Operation) -> None:
        at_once.append(sum(rack.at_work.values()))

    async with Lab(home, rack).client() as client:
        await client.change_many(
            [write(device.device_id) for device in rack.devices],
            options=BulkOptions(concurrency=3),
            progress=watch,
        )

    assert max(at_once) <= 3


async def test_a_watcher_that_fails_stops_no_change(home: Paths) -> None:
    rack = Rack(3)

    def fail(operation: Operation) -> None:
        raise BrokenPipeError("nobody reads")

    async with Lab(home, rack).client() as client:
        result = await client.change_many([write(item.device_id) for item in rack.devices], progress=fail)

    assert statuses(result) == [STATUS.SUCCESS] * 3


async def test_a_dry_run_of_many_counts_them_as_the_change_would(home: Paths) -> None:
    rack = Rack(5)
    lab = Lab(home, rack)
    lab.policy("{version: 1, rates: {WRITE: {capacity: 3, per_seconds: 3600}}}")
    dry = [write(device.device_id, dry_run=True) for device in rack.devices]
    live = [write(device.device_id) for device in rack.devices]

    async with lab.client() as client:
        planned = [operation.error_code for operation in (await client.change_many(dry)).results]
        again = [operation.error_code for operation in (await client.change_many(dry)).results]
        done = [operation.error_code for operation in (await client.change_many(live)).results]

    assert planned == again == done == ["", "", "", "RATE_LIMITED", "RATE_LIMITED"]


async def test_a_bulk_needs_a_justification_where_the_policy_asks_one_for_bulks(home: Paths) -> None:
    rack = Rack(2)
    lab = Lab(home, rack)
    lab.policy("{version: 1, justify_bulk: true}")

    async with lab.client() as client:
        alone = await client.change(write("rack-0", justification=""))
        result = await client.change_many([write("rack-0", justification=""), write("rack-1")])

    assert alone.success
    assert statuses(result) == [STATUS.DENIED, STATUS.SUCCESS]
    assert "a bulk of changes needs a justification" in result.results[0].error


async def test_what_registers_held_is_kept_before_the_first_device_is_told(home: Paths) -> None:
    """Whoever is interrupted can put back what was done: the file is there from the beginning."""
    rack = Rack(3)
    rack.values["rack-1", "LEVEL"] = 50
    rack.faults["rack-1", "write"] = "mute"

    async with Lab(home, rack).client(timeout=30) as client:
        options = BulkOptions(bulk_id="bulk-0123456789ab")
        running = asyncio.create_task(
            client.change_many([write(item.device_id) for item in rack.devices], options=options)
        )
        while len(rack.wire) < 3:
            await asyncio.sleep(0.01)
        kept = await client.bulk("bulk-0123456789ab")
        running.cancel()
        await asyncio.wait([running])
        ended = await client.bulk("bulk-0123456789ab")
        undo = await client.undo_requests("bulk-0123456789ab")

    assert [(item.status, item.old) for item in kept.results] == [
        (STATUS.PENDING, 0),
        (STATUS.PENDING, 50),
        (STATUS.PENDING, 0),
    ]
    assert statuses(ended) == [STATUS.SUCCESS, STATUS.TIMEOUT, STATUS.SUCCESS], "of one nobody knows"
    assert [(request.device_id, request.value) for request in undo] == [
        ("rack-2", 0),
        ("rack-1", 50),
        ("rack-0", 0),
    ]


async def test_a_bulk_is_undone_and_only_what_may_have_happened_is_put_back(home: Paths) -> None:
    rack = Rack(4)
    rack.values["rack-0", "LEVEL"] = 20
    rack.values["rack-2", "LEVEL"] = 30
    rack.faults["rack-2", "write"] = "mute"
    rack.change(1, quarantined=True)
    requests = [write(f"rack-{number}", value=100) for number in range(3)]
    requests.append(order("rack-3", OperationType.ACTIVATE))

    async with Lab(home, rack).client(timeout=0.2) as client:
        result = await client.change_many(requests)
        undo = await client.undo_requests(result.id)
        rack.faults.clear()
        undone = await client.change_many(undo)

    assert statuses(result) == [STATUS.SUCCESS, STATUS.DENIED, STATUS.TIMEOUT, STATUS.SUCCESS]
    assert [request.device_id for request in undo] == ["rack-2", "rack-0"]
    assert undone.status == "COMPLETED"
    assert (rack.get("rack-0", "LEVEL"), rack.get("rack-2", "LEVEL")) == (20, 30)


async def test_where_nothing_can_be_kept_nothing_is_changed(home: Paths) -> None:
    rack = Rack(2)
    (home.state / "bulks").mkdir(parents=True)
    (home.state / "bulks" / "lab").write_text("a file where the folder should be")

    async with Lab(home, rack).client() as client:
        result = await client.change_many([write("rack-0"), write("rack-1")])

    assert {operation.error_code for operation in result.results} == {"STATE_UNAVAILABLE"}
    assert rack.wire == []


async def test_where_nothing_can_be_journalled_every_change_is_refused_and_reads_go_on(home: Paths) -> None:
    rack = Rack(2)
    (home.state / "journal.lock").mkdir(parents=True)

    async with Lab(home, rack).client() as client:
        result = await client.change_many([write("rack-0"), write("rack-1")])
        readings = await client.read(rack.devices, ["LEVEL"])

    assert {operation.error_code for operation in result.results} == {"STATE_UNAVAILABLE"}
    assert all(reading.good for reading in readings)
    assert rack.wire == []


async def test_a_dry_run_of_a_bulk_leaves_nothing_behind(home: Paths) -> None:
    rack = Rack(2)

    async with Lab(home, rack).client() as client:
        result = await client.change_many([write(item.device_id, dry_run=True) for item in rack.devices])
        with pytest.raises(NotFound, match="no bulk"):
            await client.bulk(result.id)
        assert await client.audit(HistoryQuery(limit=0)) == []

    assert statuses(result) == [STATUS.PLANNED, STATUS.PLANNED]


async def test_thousands_of_changes_leave_the_event_loop_to_others_and_none_is_late(
    home: Paths, watchdog: Watchdog
) -> None:
    """All at once they would keep the loop busy until the first ones had missed their deadline."""
    rack = Rack(3000)
    for number in range(len(rack.devices)):
        rack.change(number, risk=Risk.LOW)

    async with Lab(home, rack, batch=True).client(timeout=5) as client:
        result = await client.change_many([write(device.device_id) for device in rack.devices])

    assert result.status == "COMPLETED"
    assert watchdog.longest > 0


def test_a_bulk_of_another_kind_of_id_is_no_bulk(tmp_path: Path) -> None:
    from dsmilctl.client.bulks import Bulks

    (tmp_path / "secret.json").write_bytes(msgspec.json.encode({"id": "secret"}))

    for name in ("secret", "../secret", "", "bulk-XYZ"):
        with pytest.raises(NotFound):
            Bulks(tmp_path).get(name)
