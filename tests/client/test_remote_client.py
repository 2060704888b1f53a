"""A server opened as a client like any other: the same answers as the local client gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest
import pytest_asyncio

from dsmilctl.client.interface import Client, HistoryQuery
from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.client.remote.config import ClientConfig
from dsmilctl.client.remote.fast_stop import stop_by_thread
from dsmilctl.errors import (
    DeviceNotFound,
    DSMILError,
    EmergencyStopActive,
    InvalidParameter,
    JustificationRequired,
    ReadOnly,
    UsageError,
)
from dsmilctl.model.device import DeviceState
from dsmilctl.model.event import Event
from dsmilctl.model.operation import Operation, OperationStatus, OperationType, Request
from dsmilctl.model.reading import Batch, Quality, Span
from dsmilctl.model.selector import EVERYTHING, parse_selector
from dsmilctl.testing.simulator import DeviceSimulator
from dsmilctl.wire.emergency import StopRequest

WHY = "because a test asks for it"


def write(device_id: int, value: int, **fields: object) -> Request:
    given: dict[str, object] = {"justification": WHY, "register": "CONFIG", **fields}
    return Request(device_id=device_id, type=OperationType.WRITE, value=value, **given)  # type: ignore[arg-type] # a test's shorthand


@pytest_asyncio.fixture
async def local(simulator: DeviceSimulator) -> AsyncIterator[Client]:
    """The client that the server itself uses."""
    yield simulator.gateway.client


async def test_devices_are_the_same_here_and_there(client: DSMILClient, local: Client) -> None:
    here = await local.devices(EVERYTHING, quarantined=True)
    there = await client.devices(EVERYTHING, quarantined=True)

    assert there == here


async def test_a_selector_means_the_same_here_and_there(client: DSMILClient, local: Client) -> None:
    for text in ("0x8000", "0x8000-0x8003,boiler-*", "risk=HIGH", "@all,state=error", "*"):
        selector = parse_selector(text)
        try:
            expected: object = await local.devices(selector)
        except DeviceNotFound as error:
            with pytest.raises(DeviceNotFound) as caught:
                await client.devices(selector)
            assert (str(caught.value), caught.value.hint) == (str(error), error.hint)
        else:
            assert await client.devices(selector) == expected


async def test_a_device_that_is_not_there_is_told_with_the_same_hint(
    client: DSMILClient, local: Client
) -> None:
    with pytest.raises(DeviceNotFound) as here:
        await local.devices(parse_selector("0x8060"))
    with pytest.raises(DeviceNotFound) as there:
        await client.devices(parse_selector("0x8060"))

    assert (str(there.value), there.value.hint) == (str(here.value), here.value.hint)


async def test_readings_keep_unit_quality_time_and_error(
    simulator: DeviceSimulator, client: DSMILClient
) -> None:
    simulator.set_fault(0x8002, "disconnect")
    simulator.set_register(0x8001, "TEMP", 0x80000000)
    devices = await client.devices(parse_selector("0x8000-0x8002,0x8009"))

    readings = await client.read(devices, ["TEMP", "VOLTAGE"])

    assert [(item.device_id, item.register) for item in readings] == [
        (device.device_id, name) for device in devices for name in ("TEMP", "VOLTAGE")
    ]
    good, bad, lost, denied = readings[0], readings[2], readings[4], readings[6]
    assert (good.quality, good.unit, good.error) == (Quality.GOOD, "°C", "")
    assert abs(good.timestamp - simulator.gateway.clock.now()) < 60 * 10**9
    assert bad.quality is Quality.BAD
    assert (lost.value, lost.quality, lost.error_code) == (None, Quality.BAD, "NETWORK_ERROR")
    assert (denied.value, denied.error_code) == (None, "DEVICE_QUARANTINED")


async def test_a_register_that_no_device_has_is_refused_with_a_hint(client: DSMILClient) -> None:
    devices = await client.devices(parse_selector("0x8000"))

    with pytest.raises(InvalidParameter) as caught:
        await client.read(devices, ["TEMPP"])

    assert "TEMP" in caught.value.hint


async def test_a_span_reads_a_part(client: DSMILClient) -> None:
    devices = await client.devices(parse_selector("0x8001"))

    [part] = await client.read(devices, ["CONFIG"], span=Span(0, 1))

    assert isinstance(part.value, int)
    assert part.value <= 0xFF


async def test_statuses_tell_state_reason_and_since(simulator: DeviceSimulator, client: DSMILClient) -> None:
    simulator.set_fault(0x8001, "disconnect")
    devices = await client.devices(parse_selector("0x8000,0x8001"))
    await client.read(devices)

    connected, broken = await client.statuses(devices)

    assert connected.state is DeviceState.CONNECTED
    assert connected.since > 0
    assert connected.last_seen is not None
    assert broken.state is not DeviceState.CONNECTED
    assert "refused" in broken.reason
    [again] = await client.lifecycle("state", devices[:1])
    assert again.state is DeviceState.CONNECTED


async def test_a_lifecycle_verb_that_is_refused_says_so_with_the_same_code_as_here(
    client: DSMILClient, local: Client
) -> None:
    codes = []
    for fleet in (client, local):
        devices = await fleet.devices(parse_selector("0x8009"), quarantined=True)
        [refused] = await fleet.lifecycle("connect", devices)
        codes.append(refused.error_code)

    assert codes == ["DEVICE_QUARANTINED", "DEVICE_QUARANTINED"]


async def test_a_change_is_an_operation_and_a_refusal_the_same_error_as_here(
    client: DSMILClient, local: Client
) -> None:
    operation = await client.change(write(0x8030, 7))

    assert (operation.status, operation.new, operation.read_back) == (OperationStatus.SUCCESS, 7, 7)
    assert operation.user == "admin"
    planned = await client.change(write(0x8030, 8, dry_run=True))
    assert planned.status is OperationStatus.PLANNED
    refused = write(0x800C, 1, justification="")
    with pytest.raises(JustificationRequired) as here:
        await local.change(refused)
    with pytest.raises(JustificationRequired) as there:
        await client.change(refused)
    assert (str(there.value), there.value.hint) == (str(here.value), here.value.hint)


async def test_a_change_of_a_device_that_is_away_ends_as_it_does_here(
    simulator: DeviceSimulator, client: DSMILClient, local: Client
) -> None:
    simulator.set_fault(0x8030, "disconnect")

    here, there = (
        await outcome(local.change(write(0x8030, 7))),
        await outcome(client.change(write(0x8030, 7))),
    )

    assert there == here
    assert "refused" in there


async def outcome(change: Awaitable[Operation]) -> str:
    """How a change ended, as a person would tell it."""
    try:
        operation = await change
    except DSMILError as error:
        return f"raised {error.code}: {error.message}"
    return f"{operation.status} {operation.register} {operation.error_code}: {operation.error}"


async def test_a_bulk_of_changes_reports_every_one_and_can_be_undone(client: DSMILClient) -> None:
    before = (await client.read_device(0x8030, "CONFIG")).data
    seen: list[int | str] = []

    bulk = await client.change_many(
        [write(0x8030, 41), write(0x9999, 41), write(0x8031, 42)],
        progress=lambda operation: seen.append(operation.device_id),
    )

    assert seen == [0x8030, 0x9999, 0x8031]
    assert [item.success for item in bulk.results] == [True, False, True]
    assert bulk.results[1].error_code == "DEVICE_NOT_FOUND"
    assert (await client.bulk(bulk.id)).summary == bulk.summary
    undo = await client.undo_requests(bulk.id)
    assert [(item.device_id, item.register) for item in undo] == [(0x8031, "CONFIG"), (0x8030, "CONFIG")]
    assert undo[1].value == before


async def test_a_driver_s_command_is_carried_out(client: DSMILClient) -> None:
    request = Request(device_id=0x8030, type=OperationType.COMMAND, command="identify", justification=WHY)

    assert (await client.change(request)).success


async def test_a_read_only_context_changes_nothing(simulator: DeviceSimulator) -> None:
    async with DSMILClient(simulator.url, read_only=True) as client:
        with pytest.raises(ReadOnly):
            await client.change(write(0x8030, 1))
        with pytest.raises(ReadOnly):
            await client.audit_restart("a new disk")

    assert simulator.requests == []


async def test_a_stream_brings_batches_and_only_what_changed(
    simulator: DeviceSimulator, client: DSMILClient
) -> None:
    devices = await client.devices(parse_selector("0x8000,0x8001"))
    simulator.set_register(0x8000, "TEMP", 40)
    simulator.set_register(0x8001, "TEMP", 50)
    stream = client.stream(devices, ["TEMP"], interval=0.1, changes_only=True)

    seen: list[tuple[int | str, object]] = []
    async for item in stream:
        assert isinstance(item, Batch)
        seen += [(reading.device_id, reading.value) for reading in item.readings]
        if len(set(seen)) == 2:
            simulator.set_register(0x8001, "TEMP", 51)
        if (0x8001, 51) in seen:
            break
    await stream.aclose()

    assert set(seen) == {(0x8000, 40), (0x8001, 50), (0x8001, 51)}


async def test_a_stop_is_an_event_is_in_force_and_is_released(client: DSMILClient) -> None:
    events = client.events()
    coming = asyncio.create_task(anext(events))
    await asyncio.sleep(0.3)
    confirmations: list[object] = []

    stop = await client.stop(reason="smoke", report=confirmations.append)
    event = await coming
    await events.aclose()

    assert len(stop.confirmed) == len(confirmations) == 84
    assert isinstance(event, Event)
    assert (event.type, event.severity.name) == ("emergency.stop", "CRITICAL")
    assert [item.stop_id for item in await client.stops()] == [stop.stop_id]
    with pytest.raises(EmergencyStopActive):
        await client.change(write(0x8030, 1))
    [released] = await client.release(justification="the smoke has gone")
    assert released.stop_id == stop.stop_id
    assert released.released_at is not None
    assert [item.stop_id for item in await client.stop_history()] == [stop.stop_id]


async def test_the_first_thing_a_client_does_may_be_a_stop_with_a_token_of_before(
    simulator: DeviceSimulator, client: DSMILClient
) -> None:
    token = client._api.session.access_token
    async with DSMILClient(simulator.url) as other:
        other.carry_tokens(token)

        stop = await other.stop(reason="at once")

        assert len(stop.confirmed) == 84
        assert not other.transport.opened  # type: ignore[attr-defined] # it is the HTTP transport: nothing was imported

    wanted = StopRequest(justification="again", target_devices=[0x8030], scope="SINGLE_DEVICE")
    narrow = await stop_by_thread(ClientConfig(base_url=simulator.url), token, wanted, deadline=10.0)
    assert narrow.confirmed == (0x8030,)


async def test_the_journal_of_the_server_is_read(client: DSMILClient) -> None:
    await client.change(write(0x8030, 7))

    records = await client.audit(HistoryQuery(device_id=0x8030, outcome="SUCCESS"))

    newest = records[0]
    assert (newest.user, newest.action, newest.target) == ("admin", "device.write", "0x8030")


async def test_the_journal_of_the_server_is_checked_anchored_and_paged(
    client: DSMILClient, tmp_path: Path
) -> None:
    for value in range(3):
        await client.change(write(0x8030, value))

    verdict = await client.audit_verify()
    anchor = await client.audit_export(tmp_path / "kept/anchor.json")

    assert verdict.intact
    assert verdict.records == anchor["records"] > 0
    assert (tmp_path / "kept/anchor.json").read_bytes().endswith(b"\n")
    assert (await client.audit_verify(f"{anchor['sequence']}:{anchor['hash']}")).intact
    assert not (await client.audit_verify("1" * 64)).intact
    every = await client.audit(HistoryQuery(limit=0))
    assert len({record.sequence for record in every}) == len(every) == verdict.records


async def test_what_can_only_be_done_at_the_server_says_so(client: DSMILClient) -> None:
    with pytest.raises(UsageError, match="machine of the server"):
        await client.forget()


async def test_the_system_tells_how_it_is(client: DSMILClient) -> None:
    assert (await client.system_status())["device_summary"]["total_devices"] == 84
    assert (await client.health())["status"] == "healthy"
    assert {driver.name: driver.enabled for driver in await client.drivers()}["sim"]
    assert (client.identity.user, client.identity.clearance.name) == ("admin", "TOP_SECRET")
    assert (client.context.kind, client.context.target) == ("remote", client.config.base_url)
