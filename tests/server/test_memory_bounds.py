"""What a server keeps for later requests has bounds, however many requests come."""

from __future__ import annotations

import msgspec
import pytest

from dsmilctl.errors import NotFound
from dsmilctl.server import kept_bulks
from dsmilctl.server.kept_bulks import KeptBulks
from dsmilctl.server.metrics import Metrics
from dsmilctl.testing.clock import StandingClock
from dsmilctl.wire.operations import BulkAnswer, BulkSummary, OperationAnswer

READ = OperationAnswer(operation_id="op-1", device_id=0x8000, operation_type="READ", status="SUCCESS")


def bulk_of(operations: int, number: int = 0) -> BulkAnswer:
    """The answer to a bulk of so many reads."""
    summary = BulkSummary(total=operations, successful=operations, failed=0, denied=0, timeouts=0)
    return BulkAnswer(
        bulk_operation_id=f"bulk-{number}", total_operations=operations, status="COMPLETED",
        execution_time_ms=1.0, results=[READ] * operations, summary=summary,
    )  # fmt: skip


def test_a_bulk_is_said_again_as_it_was_said_first_and_to_its_own_user_alone() -> None:
    kept = KeptBulks()
    kept.keep("ann", bulk_of(3))

    assert msgspec.json.encode(kept.of("ann", "bulk-0")) == msgspec.json.encode(bulk_of(3))
    with pytest.raises(NotFound):
        kept.of("bob", "bulk-0")


def test_the_oldest_bulks_make_room_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(msgspec.json.encode(bulk_of(50)))
    monkeypatch.setattr(kept_bulks, "MOST_BYTES", 4 * size + 100)
    kept = KeptBulks()

    for number in range(10):
        kept.keep("ann", bulk_of(50, number))

    assert len(kept) == 4
    assert kept.of("ann", "bulk-9")
    with pytest.raises(NotFound):
        kept.of("ann", "bulk-5")


def test_one_bulk_beyond_all_bounds_is_kept_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_bulks, "MOST_BYTES", 10)
    kept = KeptBulks()

    kept.keep("ann", bulk_of(50, 1))
    kept.keep("ann", bulk_of(50, 2))

    assert len(kept) == 1
    assert kept.of("ann", "bulk-2")


def test_the_rate_and_the_mean_are_those_of_the_last_minute() -> None:
    clock = StandingClock()
    metrics = Metrics(clock)
    for _ in range(600):
        metrics.note("GET", "/devices", 200, 5.0)
    clock.advance(60)
    for _ in range(100):
        clock.advance(1)
        for _ in range(3):
            metrics.note("GET", "/devices", 200, 0.002)

    assert metrics.requests_per_second == 3.0
    assert metrics.average_ms == pytest.approx(2.0)
    assert len(metrics._recent) <= 61


def test_each_request_is_in_every_bucket_that_is_long_enough_for_it() -> None:
    metrics = Metrics(StandingClock())
    for seconds in (0.0005, 0.001, 0.03, 99.0):
        metrics.note("GET", "/devices", 200, seconds)

    lines = [line for line in metrics.text({}, {}, {}).splitlines() if "_bucket{" in line]
    counts = {line.split('"')[1]: int(line.rpartition(" ")[2]) for line in lines}

    assert (counts["0.001"], counts["0.025"], counts["0.05"], counts["5.0"]) == (2, 2, 3, 3)
    assert counts["+Inf"] == 4
