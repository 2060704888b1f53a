"""The order of the guard's checks: the first refusal wins, and says what would make it pass."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsmilctl.client.local import LocalClient
from dsmilctl.config.paths import Paths
from dsmilctl.errors import DSMILError
from dsmilctl.model.device import Risk
from dsmilctl.model.identity import Clearance, Identity
from dsmilctl.model.operation import OperationStatus, OperationType
from tests.rack import Lab, Rack, order, write

POLICY = """
version: 1
clearance: {WRITE: SECRET}
justification: {WRITE: [CRITICAL]}
approval: {WRITE: [HIGH]}
rates: {WRITE: {capacity: 1, per_seconds: 3600}}
"""
CODES = (
    "EMERGENCY_STOP",
    "READ_ONLY",
    "DEVICE_QUARANTINED",
    "PERMISSION_DENIED",
    "JUSTIFICATION_REQUIRED",
    "APPROVAL_REQUIRED",
    "INVALID_PARAMETER",
    "CONFLICT",
    "RATE_LIMITED",
    "DEVICE_BUSY",
    "STATE_UNAVAILABLE",
)
"""What each violated check answers, in the order of the checks."""

HINTS = {
    "EMERGENCY_STOP": "emergency release stop-",
    "READ_ONLY": "leave --read-only out",
    "DEVICE_QUARANTINED": "an approval by two persons",
    "PERMISSION_DENIED": "clearance is SECRET or higher",
    "JUSTIFICATION_REQUIRED": "--justification",
    "APPROVAL_REQUIRED": "behind a server",
    "INVALID_PARAMETER": "LEVEL is u16, 0 … 1000",
    "CONFLICT": "device read rack-0 LEVEL",
    "RATE_LIMITED": "again in",
    "DEVICE_BUSY": "try again when that is done",
    "STATE_UNAVAILABLE": "",
}


def folders(home: Path) -> Paths:
    names = ("config", "state", "data", "cache", "run", "system")
    return Paths(*(home / name for name in names))


class Case:
    """A lab in which exactly the given checks would refuse a write."""

    def __init__(self, home: Path, violated: frozenset[str]) -> None:
        self.violated = violated
        self.rack = Rack(1)
        self.lab = Lab(folders(home), self.rack)
        self.rack.change(risk=Risk.CRITICAL)
        self.policy = self._policy(violated)

    @staticmethod
    def _policy(violated: frozenset[str]) -> str:
        policy = POLICY
        if "JUSTIFICATION_REQUIRED" not in violated:
            policy = policy.replace("justification: {WRITE: [CRITICAL]}", "justification: {}")
        if "APPROVAL_REQUIRED" in violated:
            policy = policy.replace("HIGH", "CRITICAL")
        if "RATE_LIMITED" not in violated:
            policy = policy.replace("capacity: 1", "capacity: 1000")
        return policy

    async def refusal(self, *, dry_run: bool) -> DSMILError | None:
        """What a write answers; None when it is let through."""
        if "RATE_LIMITED" in self.violated:
            self.lab.policy("{version: 1, rates: {WRITE: {capacity: 1, per_seconds: 3600}}}")
            async with self.lab.client() as spender:
                await spender.change(write("rack-0", value=0))
        self.lab.policy(self.policy)
        if "DEVICE_QUARANTINED" in self.violated:
            self.rack.change(quarantined=True)
        holder = self.lab.client()
        clearance = Clearance.RESTRICTED if "PERMISSION_DENIED" in self.violated else Clearance.TOP_SECRET
        client = self.lab.client(
            read_only="READ_ONLY" in self.violated,
            timeout=0.02,
            identity=Identity("ada", "bench", clearance),
        )
        async with holder, client:
            return await self._attempt(holder, client, dry_run=dry_run)

    async def _attempt(self, holder: LocalClient, client: LocalClient, *, dry_run: bool) -> DSMILError | None:
        if "EMERGENCY_STOP" in self.violated:
            await holder.stop(reason="smoke")
        if "DEVICE_BUSY" in self.violated:
            await holder._holds.take(["rack-0"], 1.0)
        if "STATE_UNAVAILABLE" in self.violated:
            self._break_journal()
        if "CONFLICT" in self.violated:
            self.rack.values["rack-0", "LEVEL"] = 995
        try:
            operation = await client.change(
                write(
                    "rack-0",
                    value=1001 if "INVALID_PARAMETER" in self.violated else 10,
                    if_value=0,
                    justification="" if "JUSTIFICATION_REQUIRED" in self.violated else "a good reason",
                    dry_run=dry_run,
                )
            )
        except DSMILError as error:
            return error
        expected = OperationStatus.PLANNED if dry_run else OperationStatus.SUCCESS
        assert operation.status is expected, operation
        return None

    def _break_journal(self) -> None:
        """A folder where the lock of the journal should be: not even root can open it for writing."""
        lock = self.lab.folders.journal_folder / "journal.lock"
        lock.unlink(missing_ok=True)
        lock.mkdir(parents=True)


def refusal(violated: frozenset[str], *, dry_run: bool = False) -> tuple[DSMILError | None, Rack]:
    with tempfile.TemporaryDirectory() as home:
        case = Case(Path(home), violated)
        return asyncio.run(case.refusal(dry_run=dry_run)), case.rack


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sets(st.sampled_from(CODES)), st.booleans())
def test_of_all_the_checks_that_would_refuse_the_first_one_does(violated: set[str], dry_run: bool) -> None:
    error, _ = refusal(frozenset(violated), dry_run=dry_run)

    first = next((code for code in CODES if code in violated), None)
    assert (error.code if error else None) == first


@pytest.mark.parametrize("code", CODES)
def test_each_refusal_has_its_code_says_what_would_make_it_pass_and_keeps_the_wire_silent(code: str) -> None:
    error, rack = refusal(frozenset([code]))

    assert error is not None
    assert error.code == code
    assert HINTS[code] in error.hint
    assert error.message
    assert 10 not in rack.written("LEVEL")


def test_a_write_that_no_check_refuses_reaches_the_device() -> None:
    error, rack = refusal(frozenset())

    assert error is None
    assert rack.written("LEVEL") == [10]


@pytest.mark.parametrize("code", CODES)
def test_a_dry_run_answers_as_the_change_itself_would(code: str) -> None:
    live, _ = refusal(frozenset([code]))
    dry, _ = refusal(frozenset([code]), dry_run=True)

    assert live is not None
    assert dry is not None
    assert (dry.code, dry.hint.split(" stop-")[0]) == (live.code, live.hint.split(" stop-")[0])


async def test_a_command_is_judged_as_what_its_driver_declares_it_to_be(home: Paths) -> None:
    """Otherwise a reset under another name would need less than a reset."""
    rack = Rack(1)
    lab = Lab(home, rack)
    lab.policy("{version: 1, approval: {RESET: [LOW]}}")
    rack.change(risk=Risk.LOW)

    async with lab.client() as client:
        for kind in (OperationType.COMMAND, OperationType.RESET):
            with pytest.raises(DSMILError) as refused:
                await client.change(order("rack-0", kind, "purge", arguments=(("seconds", 3),)))
            assert refused.value.code == "APPROVAL_REQUIRED"
        with pytest.raises(DSMILError) as wrong:
            await client.change(order("rack-0", OperationType.ACTIVATE, "purge"))
        assert wrong.value.code == "APPROVAL_REQUIRED"

    assert rack.wire == []


@pytest.mark.parametrize("dry_run", [False, True])
async def test_an_approval_that_nobody_can_have_given_is_no_approval(home: Paths, dry_run: bool) -> None:
    rack = Rack(1)

    async with Lab(home, rack).client() as client:
        with pytest.raises(DSMILError) as refused:
            await client.change(write("rack-0", approval="appr-1", dry_run=dry_run))
        await client.stop()
        with pytest.raises(DSMILError) as held:
            await client.release(justification="it was a drill", approval="appr-1")
        standing = await client.stops()

    assert refused.value.code == held.value.code == "INVALID_PARAMETER"
    assert "no approvals in context lab" in refused.value.message
    assert "leave --approval out" in refused.value.hint
    assert rack.written() == [0, 0], "the safe state alone"
    assert len(standing) == 1


async def test_an_approval_asked_for_on_a_local_fleet_says_that_it_cannot_be_given(
    home: Paths,
) -> None:
    rack = Rack(1)
    lab = Lab(home, rack)
    lab.policy("{version: 1, approval: {WRITE: [LOW]}}")

    async with lab.client() as client:
        with pytest.raises(DSMILError) as refused:
            await client.change(write("rack-0", approval="appr-1"))

    assert refused.value.code == "APPROVAL_REQUIRED"
    assert "a local fleet knows one person only" in refused.value.hint
    assert rack.wire == []
