"""One change: intent, driver, read-back, outcome; and the truth about what got lost on the way."""

from __future__ import annotations

import asyncio
import time

import pytest

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.client.local import LocalClient
from dsmilctl.config.paths import Paths
from dsmilctl.errors import Conflict, DSMILError, InvalidParameter, NetworkError, RateLimitError
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.operation import OperationStatus, OperationType
from tests import watchdog
from tests.rack import WHY, Lab, Rack, order, write
from tests.watchdog import watching

FIRST = "rack-0"


async def records(client: LocalClient) -> list[AuditRecord]:
    """The journal, oldest first."""
    return list(reversed(await client.audit(HistoryQuery(limit=0))))


async def test_a_write_is_journalled_before_and_after_and_read_back(home: Paths) -> None:
    rack = Rack()

    async with Lab(home, rack).client() as client:
        operation = await client.change(write(FIRST, value=15))
        intent, outcome = await records(client)

    assert operation.status is OperationStatus.SUCCESS
    assert (operation.old, operation.new, operation.read_back) == (0, 15, 15)
    assert (intent.outcome, outcome.outcome) == ("INTENT", "SUCCESS")
    assert intent.operation_id == outcome.operation_id == operation.operation_id
    assert intent.time <= rack.wire[0].time <= outcome.time
    assert intent.parameters["justification"] == WHY
    assert (intent.parameters["old"], intent.parameters["value"]) == (0, 15)
    assert (intent.user, intent.target, intent.action) == ("ada", FIRST, "device.write")


async def test_a_refusal_is_journalled_and_a_dry_run_is_not(home: Paths) -> None:
    rack = Rack()

    async with Lab(home, rack).client() as client:
        for dry_run in (True, False):
            with pytest.raises(InvalidParameter):
                await client.change(write(FIRST, value=7, dry_run=dry_run))
        planned = await client.change(write(FIRST, value=10, dry_run=True))
        (refusal,) = await records(client)

    assert planned.status is OperationStatus.PLANNED
    assert (planned.old, planned.new) == (0, 10)
    assert (refusal.decision, refusal.outcome, refusal.parameters["code"]) == (
        "DENIED",
        "DENIED",
        "INVALID_PARAMETER",
    )
    assert rack.wire == []


@pytest.mark.parametrize(
    ("register", "value", "fault", "ends"),
    [
        ("LEVEL", 10, "ignores", (OperationStatus.FAILED, 0)),
        ("SETPOINT", 2.3456, "rounds", (OperationStatus.SUCCESS, 2.3)),
        ("SETPOINT", 2.3456, "ignores", (OperationStatus.FAILED, 0)),
        ("FLAGS", 0x05, "noisy", (OperationStatus.SUCCESS, 0xF5)),
        ("FLAGS", 0x05, "ignores", (OperationStatus.FAILED, 0)),
        ("PULSE", 1, "ignores", (OperationStatus.SUCCESS, None)),
        ("HORN", 1, "", (OperationStatus.SUCCESS, None)),
    ],
)
async def test_a_read_back_within_mask_and_tolerance_confirms_a_write(
    home: Paths, register: str, value: float, fault: str, ends: tuple[OperationStatus, float | None]
) -> None:
    status, read_back = ends
    rack = Rack()
    rack.faults[FIRST, "write"] = fault

    async with Lab(home, rack).client() as client:
        operation = await client.change(write(FIRST, register, value))

    assert (operation.status, operation.read_back) == (status, read_back)
    if status is OperationStatus.FAILED:
        assert "reads back as" in operation.error


async def test_without_verification_nothing_is_read_back(home: Paths) -> None:
    rack = Rack()
    rack.faults[FIRST, "write"] = "ignores"

    async with Lab(home, rack).client() as client:
        operation = await client.change(write(FIRST, verify=False))

    assert operation.status is OperationStatus.SUCCESS
    assert [verb for verb, _ in rack.asked][:3] == ["open", "read", "write"]
    assert [verb for verb, _ in rack.asked].count("read") == 1


@pytest.mark.parametrize("fault", ["mute", "reset"])
async def test_a_write_whose_answer_is_lost_ends_unknown_is_read_back_and_is_not_sent_twice(
    home: Paths, fault: str
) -> None:
    rack = Rack()
    rack.faults[FIRST, "write"] = fault

    async with Lab(home, rack).client(timeout=0.2) as client:
        operation = await client.change(write(FIRST, value=25))
        intent, outcome = await records(client)

    assert operation.status is OperationStatus.TIMEOUT
    assert operation.read_back == 25
    assert "the outcome is unknown: LEVEL reads 25" in operation.error
    assert "not sent twice" in operation.hint
    assert (intent.outcome, outcome.outcome) == ("INTENT", "TIMEOUT")
    assert rack.written("LEVEL") == [25]


async def test_a_write_that_was_acknowledged_and_not_read_back_is_not_called_failed(
    home: Paths,
) -> None:
    rack = Rack()

    rack.silent_after_write.add(FIRST)

    async with Lab(home, rack).client(timeout=0.2) as client:
        operation = await client.change(write(FIRST, value=30))

    assert operation.status is OperationStatus.TIMEOUT
    assert "took the write, but LEVEL was not read back" in operation.error
    assert rack.written("LEVEL") == [30]


@pytest.mark.parametrize(("fault", "dry_run"), [("silent", True), ("silent", False), ("refused", False)])
async def test_nothing_is_written_to_a_device_that_does_not_answer(
    home: Paths, fault: str, dry_run: bool
) -> None:
    """What could not be read before could not be put back, and the write would end as unknown."""
    rack = Rack()
    rack.faults[FIRST] = fault

    async with Lab(home, rack).client(timeout=0.1) as client:
        with pytest.raises(NetworkError, match="nothing was written"):
            await client.change(write(FIRST, dry_run=dry_run))
        found = [(record.decision, record.outcome) for record in await records(client)]

    assert rack.wire == []
    assert found == ([] if dry_run else [("ALLOWED", "FAILED")])


async def test_a_driver_that_breaks_is_a_failed_operation_that_names_it(home: Paths) -> None:
    rack = Rack()
    rack.faults[FIRST, "write"] = "broken"

    async with Lab(home, rack).client() as client:
        operation = await client.change(write(FIRST))

    assert operation.status is OperationStatus.FAILED
    assert operation.error_code == "HARDWARE_ERROR"
    assert "a wire came off" in operation.error


async def test_compare_and_set_writes_only_what_it_compared(home: Paths) -> None:
    rack = Rack()
    rack.values[FIRST, "LEVEL"] = 40

    async with Lab(home, rack).client() as client:
        with pytest.raises(Conflict, match="LEVEL is 40, not 35"):
            await client.change(write(FIRST, value=45, if_value=35))
        with pytest.raises(InvalidParameter, match="HORN of rack-0 cannot be read"):
            await client.change(write(FIRST, "HORN", 1, if_value=0))
        with pytest.raises(InvalidParameter, match="no register that could be compared"):
            await client.change(order(FIRST, OperationType.ACTIVATE, if_value=1))
        operation = await client.change(write(FIRST, value=45, if_value=40))

    assert operation.status is OperationStatus.SUCCESS
    assert rack.written() == [45]


async def test_compare_and_set_on_a_silent_device_is_a_conflict(home: Paths) -> None:
    rack = Rack()
    rack.faults[FIRST, "read"] = "silent"

    async with Lab(home, rack).client(timeout=0.1) as client:
        with pytest.raises(Conflict, match=r"is unknown .*did not answer"):
            await client.change(write(FIRST, if_value=0))

    assert rack.wire == []


async def test_orders_reach_their_command_and_a_reset_the_drivers_own(home: Paths) -> None:
    rack = Rack()

    async with Lab(home, rack).client() as client:
        await client.change(order(FIRST, OperationType.ACTIVATE))
        await client.change(order(FIRST, OperationType.CONFIG, arguments=(("gain", 3),)))
        await client.change(order(FIRST, OperationType.RESET))
        purge = order(FIRST, OperationType.COMMAND, "purge", arguments=(("seconds", 4), ("gently", True)))
        await client.change(purge)
        answered = await client.change(order(FIRST, OperationType.COMMAND, "whoami"))

    assert [(item.what, item.value) for item in rack.wire] == [
        ("activate", {}),
        ("configure", {"gain": 3}),
        ("reset", None),
        ("purge", {"seconds": 4, "gently": True}),
        ("whoami", {}),
    ]
    assert answered.read_back == "valve 0"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (order(FIRST, OperationType.COMMAND, "purg"), "no command 'purg'"),
        (order(FIRST, OperationType.COMMAND), "no command ''"),
        (order(FIRST, OperationType.DEACTIVATE), "no command 'deactivate'"),
        (order(FIRST, OperationType.COMMAND, "purge"), "needs seconds"),
        (order(FIRST, OperationType.COMMAND, "whoami", arguments=(("x", 1),)), "does not take x"),
        (
            order(FIRST, OperationType.COMMAND, "purge", arguments=(("seconds", "4"),)),
            "seconds is of type int, not '4'",
        ),
        (
            order(FIRST, OperationType.COMMAND, "purge", arguments=(("seconds", True),)),
            "seconds is of type int, not True",
        ),
        (
            order(FIRST, OperationType.COMMAND, "purge", arguments=(("seconds", 4), ("gently", 1))),
            "gently is of type bool, not 1",
        ),
        (order(FIRST, OperationType.ACTIVATE, "purge"), "purge is RESET, not ACTIVATE"),
        (order(FIRST, OperationType.READ), "READ changes nothing"),
        (write(FIRST, "SPEED", 5), "read-only register"),
        (write(FIRST, "LEVEL", None), "no value given"),
        (write(FIRST, "LEVEL", "five"), "'five' is not of type u16"),
        (write(FIRST, "LEVEL", 1005), "outside 0 … 1000"),
        (write(FIRST, "LEVEL", 7), "not a multiple of 5"),
        (write(FIRST, "MODE", 3), "not one of 0, 1, 2"),
        (write(FIRST, "LEVLE", 5), "no register 'LEVLE'"),
    ],
)
async def test_what_the_device_cannot_do_is_refused_and_named(
    home: Paths, request_: object, message: str
) -> None:
    rack = Rack()

    async with Lab(home, rack).client() as client:
        with pytest.raises(InvalidParameter, match=message) as refused:
            await client.change(request_)  # type: ignore[arg-type]  # parametrised

    assert refused.value.hint
    assert rack.wire == []


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("0123456789", True),
        ("012345678", False),
        ("          ", False),
        ("\u200b" * 12, False),
        ("\x00" * 12, False),
        ("x" * 512, True),
        ("x" * 513, False),
        ("  für den Ölwechsel  ", True),
    ],
)
async def test_a_justification_is_text_that_somebody_can_read(home: Paths, text: str, passes: bool) -> None:
    lab = Lab(home, Rack())
    lab.policy("{version: 1, justification: {WRITE: [LOW]}}")

    async with lab.client() as client:
        try:
            operation = await client.change(write(FIRST, justification=text))
        except DSMILError as refusal:
            assert refusal.code == "JUSTIFICATION_REQUIRED"
            assert not passes
        else:
            assert operation.success
            assert passes


async def test_a_dry_run_takes_no_token_and_a_refused_change_says_when_to_come_again(home: Paths) -> None:
    rack = Rack()
    lab = Lab(home, rack)
    lab.policy("{version: 1, rates: {WRITE: {capacity: 2, per_seconds: 3600}}}")

    async with lab.client() as client:
        for _ in range(5):
            assert (await client.change(write(FIRST, dry_run=True))).success
        for _ in range(2):
            assert (await client.change(write(FIRST))).success
        for dry_run in (True, False):
            with pytest.raises(RateLimitError) as refused:
                await client.change(write(FIRST, dry_run=dry_run))
            assert 1700 < refused.value.retry_after <= 1800

    assert len(rack.wire) == 2


async def test_a_bucket_by_risk_counts_each_device_on_its_own(home: Paths) -> None:
    rack = Rack(5)
    lab = Lab(home, rack)
    lab.policy("{version: 1, device_rates: {LOW: {capacity: 1, per_seconds: 3600}}}")

    async with lab.client() as client:
        await client.change(write("rack-0"))
        await client.change(write("rack-4"))
        await client.change(write("rack-1"))
        await client.change(write("rack-1"))
        with pytest.raises(RateLimitError):
            await client.change(write("rack-0"))


async def test_a_change_that_is_cancelled_under_way_is_journalled_as_unknown_at_once(home: Paths) -> None:
    rack = Rack()
    rack.faults[FIRST, "write"] = "mute"
    rack.faults["rack-1", "write"] = "silent"

    async with Lab(home, rack).client(timeout=30) as client:
        changes = [asyncio.create_task(client.change(write(device))) for device in (FIRST, "rack-1")]
        while len([verb for verb, _ in rack.asked if verb == "write"]) < 2:
            await asyncio.sleep(0.01)
        for change in changes:
            change.cancel()
        ended = await asyncio.gather(*changes, return_exceptions=True)
        found = [(record.target, record.outcome) for record in await records(client)]

    assert all(isinstance(item, asyncio.CancelledError) for item in ended)
    assert sorted(found) == sorted(
        [(device, outcome) for device in (FIRST, "rack-1") for outcome in ("INTENT", "UNKNOWN")]
    )


def test_the_watchdog_notices_an_event_loop_that_is_kept_busy() -> None:
    async def work() -> None:
        begun = time.thread_time()
        while time.thread_time() - begun < watchdog.LIMIT + 0.1:
            pass

    with watching() as watch:
        asyncio.run(work())

    with pytest.raises(AssertionError, match="busy for"):
        watch.check()


def test_the_watchdog_notices_an_event_loop_that_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    async def block() -> None:
        time.sleep(0.6)

    monkeypatch.setattr(watchdog, "LONGEST_SLEEP", 0.5)
    with watching() as watch:
        asyncio.run(block())

    with pytest.raises(AssertionError, match="waiting for"):
        watch.check()
