"""A second person at the far server: asked for by the gateway, given there, and used once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.client.local import LocalClient
from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.config.paths import Paths
from dsmilctl.errors import ApprovalRequired, DSMILError, JustificationRequired, PermissionDenied
from dsmilctl.model.operation import OperationStatus, OperationType, Request
from dsmilctl.server.identity.users import Users
from dsmilctl.testing.simulator import DeviceSimulator
from tests.drivers.far import PASSWORDS, federating
from tests.fixtures import home
from tests.server.doors import CHEAP, PASSWORD, everybody

__all__ = ["home"]

FLEET = """\
version: 2
devices:
  - {{id: north, driver: dsmil, options: {{url: "{url}", username: {user}, secret: "env:FAR", prefix: n-}}}}
"""
WHY = "a test of two servers"
CRITICAL, HIGH = 0x8001, 0x8004


@pytest.fixture
async def far() -> AsyncIterator[DeviceSimulator]:
    """A server that asks for a second person on critical devices."""
    async with DeviceSimulator(approvals=True) as running:
        yield running


@asynccontextmanager
async def near(
    folders: Paths, tmp_path: Path, far: DeviceSimulator, monkeypatch: pytest.MonkeyPatch, user: str = "admin"
) -> AsyncIterator[LocalClient]:
    """A local client on a fleet behind the far server."""
    from dsmilctl.client.fleets import fleet_context
    from dsmilctl.client.local_drivers import InstalledDrivers
    from dsmilctl.client.opening import Opening, local_identity
    from dsmilctl.clock import SYSTEM
    from dsmilctl.config.settings import Settings
    from dsmilctl.fleet.switches import Switches

    monkeypatch.setenv("FAR", PASSWORDS[user])
    file = tmp_path / "north.yaml"
    file.write_text(FLEET.format(url=far.url, user=user))
    registry = federating()
    opening = Opening(
        context=fleet_context(file, registry), settings=Settings(), folders=folders, registry=registry,
        installed=InstalledDrivers(registry, Switches(folders.driver_switches_file), SYSTEM),
        identity=local_identity(), read_only=False, timeout=10.0, clock=SYSTEM,
    )  # fmt: skip
    async with opening.client() as client:
        yield client


def change(device: int, kind: OperationType = OperationType.WRITE, **facts: Any) -> Request:
    if kind is OperationType.WRITE:
        facts = {"register": "CONFIG", "value": 5} | facts
    return Request(device_id=f"n-0x{device:04X}", type=kind, **{"justification": WHY, **facts})


@asynccontextmanager
async def second_person(far: DeviceSimulator) -> AsyncIterator[DSMILClient]:
    async with DSMILClient(far.url) as client:
        (await client.authenticate("supervisor", "dsmil_super_2024")).raise_for_status()
        yield client


async def refused(client: LocalClient, request: Request) -> DSMILError:
    with pytest.raises(DSMILError) as caught:
        await client.change(request)
    return caught.value


@pytest.mark.parametrize(
    "request_", [change(CRITICAL), change(CRITICAL, OperationType.RESET)], ids=["write", "reset"]
)
async def test_a_change_waits_for_a_person_there_and_is_done_when_it_is_asked_again(
    home: Paths, tmp_path: Path, far: DeviceSimulator, monkeypatch: pytest.MonkeyPatch, request_: Request
) -> None:
    async with near(home, tmp_path, far, monkeypatch) as client, second_person(far) as other:
        first = await refused(client, request_)
        again = await refused(client, request_)
        (waiting,) = await other.list_approvals("PENDING")
        await other.approve(waiting.approval_id, WHY)
        done = await client.change(request_)
        spent = await refused(client, request_)
        records = await client.audit(HistoryQuery(limit=0))

    assert isinstance(first, ApprovalRequired)
    assert waiting.approval_id in first.message
    assert f"approval approve {waiting.approval_id}" in first.hint
    details: dict[str, Any] = first.details
    assert details["approval_id"] == waiting.approval_id
    assert details["approval_url"] == f"{far.url}/api/v2/approvals/{waiting.approval_id}"
    assert getattr(again, "details", {})["approval_id"] == waiting.approval_id, "it is asked for once"
    assert done.status is OperationStatus.SUCCESS, done.error
    assert getattr(spent, "details", {})["approval_id"] != waiting.approval_id, "it is good for one change"
    assert [record.outcome for record in reversed(records)] == [
        "INTENT", "DENIED", "INTENT", "DENIED", "INTENT", "SUCCESS", "INTENT", "DENIED",
    ]  # fmt: skip
    assert {record.parameters.get("code") for record in records if record.outcome == "DENIED"} == {
        "APPROVAL_REQUIRED"
    }


async def test_an_approval_there_is_for_exactly_that_change(
    home: Paths, tmp_path: Path, far: DeviceSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with near(home, tmp_path, far, monkeypatch) as client, second_person(far) as other:
        await refused(client, change(CRITICAL, value=5))
        (waiting,) = await other.list_approvals("PENDING")
        await other.approve(waiting.approval_id, WHY)
        another = await refused(client, change(CRITICAL, value=6))
        elsewhere = await refused(client, change(CRITICAL + 1, value=5))

    assert {error.code for error in (another, elsewhere)} == {"APPROVAL_REQUIRED"}
    assert waiting.approval_id not in another.message + elsewhere.message


async def test_who_is_rejected_there_asks_anew(
    home: Paths, tmp_path: Path, far: DeviceSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with near(home, tmp_path, far, monkeypatch) as client, second_person(far) as other:
        first = await refused(client, change(CRITICAL))
        (waiting,) = await other.list_approvals("PENDING")
        await other.reject(waiting.approval_id, WHY)
        second = await refused(client, change(CRITICAL))

    assert waiting.approval_id in first.message
    assert waiting.approval_id not in second.message


async def test_what_is_refused_there_is_refused_here_with_its_code_alone_and_in_a_bulk(
    home: Paths, tmp_path: Path, far: DeviceSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with near(home, tmp_path, far, monkeypatch, user="analyst") as client:
        alone = await refused(client, change(HIGH))
        result = await client.change_many([change(HIGH), change(CRITICAL)])
        records = await client.audit(HistoryQuery(limit=0, action="device.write"))

    assert isinstance(alone, PermissionDenied)
    assert [(item.status, item.error_code) for item in result.results] == [
        (OperationStatus.DENIED, "PERMISSION_DENIED")
    ] * 2
    assert result.summary.denied == 2
    assert {record.outcome for record in records} == {"INTENT", "DENIED"}


async def test_a_change_that_went_wrong_there_is_no_refusal(
    home: Paths, tmp_path: Path, far: DeviceSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with near(home, tmp_path, far, monkeypatch) as client:
        request = change(HIGH)
        far.fail_next(502, content=_envelope("HARDWARE_ERROR"), path=f"{HIGH}/operations")
        ended = await client.change(request)

    assert (ended.status, ended.error_code) == (OperationStatus.FAILED, "HARDWARE_ERROR")


def _envelope(code: str) -> bytes:
    return b'{"error":{"code":"%s","message":"a wire came off","details":{}}}' % code.encode()


async def test_a_gateway_tells_its_own_users_which_approval_waits_there(
    home: Paths, tmp_path: Path, far: DeviceSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A near server: its user sees 403 with the far approval, and the second person there lets it through."""
    import asyncio

    from dsmilctl.server.assembly import ServerOptions, assemble
    from dsmilctl.server.serve import Listening, serve

    async with near(home, tmp_path, far, monkeypatch) as client, second_person(far) as other:
        app, _ = assemble(client, Users(users=everybody()), ServerOptions(password_cost=CHEAP))
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(app, Listening(), ready.set_result))
        async with DSMILClient(await ready) as user:
            (await user.authenticate("ada", PASSWORD)).raise_for_status()
            first = await user.write_device("n-0x8001", "CONFIG", 5, WHY)
            (waiting,) = await other.list_approvals("PENDING")
            await other.approve(waiting.approval_id, WHY)
            done = await user.write_device("n-0x8001", "CONFIG", 5, WHY)
        serving.cancel()
        await asyncio.wait([serving])

    assert (first.success, first.error_code) == (False, "APPROVAL_REQUIRED")
    assert waiting.approval_id in str(first.error)
    assert done.success, done.error


def test_the_refusals_of_the_far_server_are_those_of_the_near_one() -> None:
    from dsmilctl.drivers.dsmil.changes import REFUSALS
    from dsmilctl.errors import kind_of
    from dsmilctl.guard.plan import REFUSALS as CODES

    assert all(issubclass(kind_of(code), REFUSALS) for code in CODES)
    assert issubclass(JustificationRequired, REFUSALS)
