"""Changes that are cancelled while their intent waits for the journal: nothing was told, and that is said."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.client.local import LocalClient
from dsmilctl.config.paths import Paths
from dsmilctl.errors import StateUnavailable
from dsmilctl.guard import guard
from dsmilctl.guard.journal import Entry, Journal, Request
from dsmilctl.model.operation import OperationType
from tests.rack import Lab, Rack, order, write
from tests.unit.evidence import entry

Begin = Callable[[LocalClient], Coroutine[Any, Any, object]]

BEGINNINGS: dict[str, Begin] = {
    "device.write": lambda client: client.change(write("rack-0", value=10)),
    "device.activate": lambda client: client.change(order("rack-0", OperationType.ACTIVATE)),
    "driver.forget": lambda client: client.forget(),
}


@contextmanager
def busy(folder: Path) -> Iterator[None]:
    """Another process writes the journal all the while."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "journal.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when something waits for the journal."""
    event, queue = asyncio.Event(), Journal.queue

    def tell(self: Journal, entries: Sequence[Entry], behind: Request | None = None) -> Request:
        event.set()
        return queue(self, entries, behind)

    monkeypatch.setattr(Journal, "queue", tell)
    return event


async def cancelled(client: LocalClient, begin: Begin, queued: asyncio.Event) -> None:
    """Begin something and cancel it as soon as its intent waits."""
    begun = asyncio.create_task(begin(client))
    await queued.wait()
    begun.cancel()
    with pytest.raises(asyncio.CancelledError):
        await begun


async def everything_written(client: LocalClient) -> None:
    """Return when nothing waits for the journal any more."""
    while client._guard._finishing:
        await asyncio.wait(client._guard._finishing)


@pytest.mark.parametrize("action", BEGINNINGS)
async def test_what_is_cancelled_before_its_intent_is_written_is_journalled_as_not_begun(
    home: Paths, queued: asyncio.Event, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    monkeypatch.setattr(guard, "BRIEFLY", 0.01)
    rack = Rack(1)
    async with Lab(home, rack).client() as client:
        await client.devices()
        with busy(home.journal_folder):
            await cancelled(client, BEGINNINGS[action], queued)
        await everything_written(client)
        outcome, intent = await client.audit(HistoryQuery())
        verdict = await client.audit_verify()

    assert rack.wire == []
    assert (intent.action, intent.outcome) == (action, "INTENT")
    assert (outcome.outcome, outcome.decision) == ("DENIED", "DENIED")
    assert outcome.operation_id == intent.operation_id
    assert outcome.parameters["error"].startswith("not begun: it was broken off")
    assert verdict.unfinished == ()


async def test_a_bulk_that_is_cancelled_before_its_intents_are_written_has_begun_nothing(
    home: Paths, queued: asyncio.Event
) -> None:
    rack = Rack(3)
    requests = [write(device.device_id) for device in rack.devices]
    async with Lab(home, rack).client() as client:
        await cancelled(client, lambda client: client.change_many(requests), queued)
        await everything_written(client)
        found = [record.outcome for record in await client.audit(HistoryQuery())]
        verdict = await client.audit_verify()

    assert (rack.wire, verdict.unfinished) == ([], ())
    assert found == ["DENIED"] * 3 + ["INTENT"] * 3


async def test_changes_whose_time_is_over_at_any_moment_leave_no_intent_open(home: Paths) -> None:
    rack = Rack(1)
    async with Lab(home, rack).client() as client:
        for moment in range(60):
            try:
                async with asyncio.timeout(0.0005 + moment % 30 * 0.0001):
                    await client.change(write("rack-0", value=10 + 5 * moment))
            except TimeoutError:
                pass
        await everything_written(client)
        verdict = await client.audit_verify()

    assert (verdict.intact, verdict.unfinished) == (True, ())


def test_an_outcome_behind_an_intent_that_was_not_written_is_not_written_either(tmp_path: Path) -> None:
    journal = Journal(tmp_path, lock_timeout=0.01)
    with busy(tmp_path):
        intent = journal.queue([entry(1, "INTENT")])
        with pytest.raises(StateUnavailable, match="locked") as first:
            journal.commit(intent)

    outcome = journal.queue([entry(1, "DENIED")], behind=intent)
    other = journal.queue([entry(2)])
    with pytest.raises(StateUnavailable) as second:
        journal.commit(outcome)

    assert second.value is first.value
    assert [record.operation_id for record in journal.commit(other)] == ["op-2"]
    assert [record.operation_id for record in journal.records()] == ["op-2"]


async def test_what_is_cancelled_says_nothing_where_its_intent_cannot_be_written(
    home: Paths, queued: asyncio.Event
) -> None:
    rack = Rack(1)
    async with Lab(home, rack).client() as client:
        await client.change(write("rack-0"))
        queued.clear()
        with busy(home.journal_folder):
            change = asyncio.create_task(client.change(write("rack-0", value=10)))
            await queued.wait()
            change.cancel()
            (segment,) = home.journal_folder.glob("*.jsonl")
            segment.write_bytes(segment.read_bytes() + b"no record\n")
        with pytest.raises(asyncio.CancelledError):
            await change
        await everything_written(client)
        found = [record.outcome for record in await client.audit(HistoryQuery())]

    assert rack.written() == [5]
    assert found == ["SUCCESS", "INTENT"]
