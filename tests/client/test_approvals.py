"""The consent of a second person over the SDK and over the client interface, against a server that asks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dsmilctl import DSMILClient, SyncDSMILClient
from dsmilctl.config.paths import Paths
from dsmilctl.errors import ApprovalRequired, Conflict, NotFound, PermissionDenied
from dsmilctl.model.approval import ApprovalStatus
from dsmilctl.model.operation import OperationStatus, OperationType, Request
from tests.fixtures import home
from tests.server.doors import CRITICAL, PASSWORD, QUARANTINED, WHY, Doors, doors

__all__ = ["home"]


async def logged_in(server: Doors, user: str) -> DSMILClient:
    """A client of somebody."""
    client = DSMILClient(server.url)
    (await client.authenticate(user, PASSWORD)).raise_for_status()
    return client


async def test_a_critical_write_goes_through_once_with_the_consent_of_somebody_else(home: Paths) -> None:
    async with (
        doors() as server,
        await logged_in(server, "ada") as ada,
        await logged_in(server, "grace") as grace,
    ):
        refused = await ada.write_device(CRITICAL, "CONFIG", 5, WHY)
        assert refused.error_code == "APPROVAL_REQUIRED"

        asked = await ada.create_approval(CRITICAL, "WRITE", "CONFIG", 5, WHY)
        assert (asked.status, asked.requested_by) == ("PENDING", "ada")
        with pytest.raises(PermissionDenied):
            await ada.approve(asked.approval_id, WHY)
        assert [item.approval_id for item in await grace.list_approvals("pending")] == [asked.approval_id]
        assert (await grace.approve(asked.approval_id, WHY)).decided_by == "grace"

        other = await ada.write_device(CRITICAL, "CONFIG", 6, WHY, approval_id=asked.approval_id)
        assert not other.success, "the consent was to another value"
        done = await ada.write_device(CRITICAL, "CONFIG", 5, WHY, approval_id=asked.approval_id)
        assert (done.success, done.read_back) == (True, 5)
        again = await ada.write_device(CRITICAL, "CONFIG", 5, WHY, approval_id=asked.approval_id)
        assert not again.success, "once"
        assert (await ada.get_approval(asked.approval_id)).status == "USED"


async def test_what_was_rejected_stays_rejected(home: Paths) -> None:
    async with (
        doors() as server,
        await logged_in(server, "ada") as ada,
        await logged_in(server, "grace") as grace,
    ):
        asked = await ada.create_approval(CRITICAL, "RESET", justification=WHY)
        assert (await grace.reject(asked.approval_id, "not during the test")).status == "REJECTED"

        with pytest.raises(Conflict):
            await grace.approve(asked.approval_id, WHY)
        assert not (await ada.reset_device(CRITICAL, WHY, approval_id=asked.approval_id)).success
        with pytest.raises(NotFound):
            await grace.approve("approval-nonsense", WHY)


async def test_commands_meet_the_same_approvals_as_nouns_of_the_model(home: Paths) -> None:
    write = Request(
        device_id=CRITICAL, type=OperationType.WRITE, register="CONFIG", value=5, justification=WHY
    )
    async with (
        doors() as server,
        await logged_in(server, "ada") as ada,
        await logged_in(server, "grace") as grace,
    ):
        with pytest.raises(ApprovalRequired):
            await ada.change(write)
        asked = await ada.request_approval(write, justification=WHY)
        assert (asked.status, asked.subject.value) == (ApprovalStatus.PENDING, 5)
        assert (asked.subject.device_id, asked.subject.register) == (CRITICAL, "CONFIG")
        assert [item.approval_id for item in await grace.approvals()] == [asked.approval_id]
        await grace.decide_approval(asked.approval_id, approve=True, justification=WHY)

        operation = await ada.change(_with(write, approval=asked.approval_id))

        assert (operation.status, operation.read_back) == (OperationStatus.SUCCESS, 5)


def _with(request: Request, **fields: Any) -> Request:
    import msgspec

    changed: Request = msgspec.structs.replace(request, **fields)
    return changed


async def test_a_quarantined_device_is_read_with_the_consent_of_somebody_else(home: Paths) -> None:
    from dsmilctl.client.interface import BulkOptions
    from dsmilctl.model.operation import read_request
    from dsmilctl.model.selector import parse_selector

    async with (
        doors() as server,
        await logged_in(server, "ada") as ada,
        await logged_in(server, "grace") as grace,
    ):
        devices = await ada.devices(parse_selector(hex(QUARANTINED)), quarantined=True)
        (refused,) = await ada.read(devices, ["TEMP"])
        assert refused.error_code == "DEVICE_QUARANTINED"
        asked = await ada.request_approval(read_request(QUARANTINED, ["TEMP"]), justification=WHY)
        await grace.decide_approval(asked.approval_id, approve=True, justification=WHY)

        options = BulkOptions(justification=WHY, approval=asked.approval_id)
        (reading,) = await ada.read(devices, ["TEMP"], options=options)

        assert reading.error == ""
        assert isinstance(reading.value, int)


async def test_programs_without_an_event_loop_ask_and_consent_too(home: Paths) -> None:
    def program(url: str) -> str:
        with SyncDSMILClient(url) as ada, SyncDSMILClient(url) as grace:
            ada.authenticate("ada", PASSWORD).raise_for_status()
            grace.authenticate("grace", PASSWORD).raise_for_status()
            asked = ada.create_approval(CRITICAL, "WRITE", "CONFIG", 5, WHY)
            grace.approve(asked.approval_id, WHY)
            ada.write_device(CRITICAL, "CONFIG", 5, WHY, approval_id=asked.approval_id).raise_for_status()
            status: str = grace.get_approval(asked.approval_id).status
            return status

    async with doors() as server:
        assert await asyncio.to_thread(program, server.url) == "USED"


async def test_a_release_is_approved_where_the_policy_asks(home: Paths) -> None:
    home.config.mkdir(parents=True)
    home.policy_file.write_text("version: 1\napprove_release: true\n")
    async with (
        doors() as server,
        await logged_in(server, "ada") as ada,
        await logged_in(server, "grace") as grace,
    ):
        stopped = await ada.trigger_emergency_stop("smoke")
        assert stopped.success
        refused = await ada.release_emergency_stop(WHY)
        assert refused.error_code == "APPROVAL_REQUIRED"
        asked = await ada.create_approval(operation="EMERGENCY_RELEASE", justification=WHY)
        await grace.approve(asked.approval_id, WHY)

        assert (await ada.release_emergency_stop(WHY, approval_id=asked.approval_id)).success


async def test_whoever_types_commands_reads_commands_and_whoever_sends_requests_reads_requests(
    home: Paths,
) -> None:
    async with doors() as server, await logged_in(server, "operator") as operator:
        raw = [
            await server.write("operator", CRITICAL),
            await server.ask("operator", "GET", f"/devices/{0x8050}"),
            await server.ask("operator", "POST", "/approvals/approval-none/approve", {"justification": WHY}),
        ]
        with pytest.raises(ApprovalRequired) as alone:
            await operator.change(
                Request(
                    device_id=CRITICAL,
                    type=OperationType.WRITE,
                    register="CONFIG",
                    value=5,
                    justification=WHY,
                )
            )
        with pytest.raises(PermissionDenied) as hidden:
            await operator.get_device(0x8050)
        with pytest.raises(NotFound) as missing:
            await operator.decide_approval("approval-none", approve=True, justification=WHY)

    assert [answer.json()["error"]["details"]["hint"] for answer in raw] == [
        "ask for one: POST /api/v2/approvals",
        "GET /api/v2/devices",
        "GET /api/v2/approvals",
    ]
    assert [caught.value.hint for caught in (alone, hidden, missing)] == [
        "ask for one: dsmilctl approval request",
        "dsmilctl device list",
        "dsmilctl approval list",
    ]
