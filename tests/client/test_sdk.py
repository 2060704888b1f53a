"""The SDK against a real server: what it returns, what it raises, and what travels on the wire."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest

from dsmilctl import BulkOperation, OperationType, Register
from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.errors import (
    AuthenticationError,
    DeviceError,
    DeviceNotFound,
    DeviceQuarantined,
    DSMILError,
    InvalidParameter,
    OperationTimeout,
)
from dsmilctl.server.gateway import Limits
from dsmilctl.testing.simulator import DeviceSimulator

WHY = "because a test asks for it"


async def test_a_login_returns_who_one_is_and_what_one_may_see(simulator: DeviceSimulator) -> None:
    async with DSMILClient(simulator.url) as client:
        result = await client.authenticate("operator", "dsmil_op_2024", "python")

    assert result.success
    assert result.user is not None
    assert (result.user.username, result.user.clearance_level) == ("operator", "SECRET")
    assert len(result.user.authorized_devices) == 60


async def test_a_wrong_password_is_returned_and_a_locked_account_says_for_how_long(
    simulator: DeviceSimulator,
) -> None:
    async with DSMILClient(simulator.url) as client:
        for _ in range(3):
            result = await client.authenticate("operator", "wrong")
            assert not result.success
            assert result.error_code == "AUTHENTICATION_FAILED"

        locked = await client.authenticate("operator", "dsmil_op_2024")

    assert locked.error_code == "ACCOUNT_LOCKED"
    assert locked.retry_after is not None
    assert locked.retry_after > 60
    with pytest.raises(AuthenticationError):
        locked.raise_for_status()


async def test_without_a_login_everything_but_the_health_raises(simulator: DeviceSimulator) -> None:
    async with DSMILClient(simulator.url) as client:
        assert (await client.health_check()).is_healthy
        with pytest.raises(AuthenticationError):
            await client.read_device(0x8000)


async def test_a_configured_login_is_made_at_the_first_request_and_never_repeated_when_refused(
    simulator: DeviceSimulator,
) -> None:
    async with DSMILClient(simulator.url, username="operator", password="dsmil_op_2024") as client:
        assert (await client.read_device(0x8000)).success
    async with DSMILClient(simulator.url, username="operator", password="wrong") as client:
        for _ in range(10):
            with pytest.raises(AuthenticationError):
                await client.read_device(0x8000)
    async with DSMILClient(simulator.url) as client:
        assert (await client.authenticate("operator", "dsmil_op_2024")).success, "the account is not locked"


async def test_a_reading_is_a_number_with_its_unit_and_quality(client: DSMILClient) -> None:
    result = await client.read_device(0x8001, Register.TEMP)

    assert result.success
    assert isinstance(result.data, int)
    assert (result.register, result.unit, result.quality) == (Register.TEMP, "°C", "good")
    assert (await client.read_device(0x8001, "TEMP")).register is Register.TEMP


async def test_a_part_of_a_block_is_read_by_offset_and_length(client: DSMILClient) -> None:
    whole = await client.read_device(0x8001, Register.CONFIG)
    part = await client.read_device(0x8001, Register.CONFIG, offset=0, length=1)

    assert part.data == whole.data & 0xFF


async def test_several_registers_of_a_device_come_in_one_answer(client: DSMILClient) -> None:
    result = await client.read_device_multiple(0x8000, [Register.TEMP, Register.VOLTAGE, Register.STATUS])

    assert list(result.values) == ["TEMP", "VOLTAGE", "STATUS"]
    assert result[Register.VOLTAGE] == result.values["VOLTAGE"]


async def test_reads_asked_for_at_the_same_time_travel_together(
    simulator: DeviceSimulator, client: DSMILClient
) -> None:
    before = len(simulator.requests)

    results = await asyncio.gather(*(client.read_device(0x800C + i % 12, Register.TEMP) for i in range(1000)))

    assert [result.device_id for result in results[:12]] == list(range(0x800C, 0x8018))
    assert simulator.requests[before:] == [("POST", "/api/v2/operations/bulk")]


async def test_reads_that_travel_together_end_each_on_its_own(client: DSMILClient) -> None:
    wanted = (0x8000, 0x8009, 0x9999)

    good, quarantined, unknown = await asyncio.gather(
        *(client.read_device(item) for item in wanted), return_exceptions=True
    )

    assert not isinstance(good, BaseException)
    assert isinstance(quarantined, DeviceQuarantined)
    assert isinstance(unknown, DeviceNotFound)
    assert (quarantined.device_id, unknown.device_id) == (0x8009, 0x9999)


async def test_an_unknown_device_raises_with_its_id_and_code(client: DSMILClient) -> None:
    with pytest.raises(DeviceError) as caught:
        await client.read_device(0x9999)

    assert (caught.value.device_id, caught.value.error_code) == (0x9999, "DEVICE_NOT_FOUND")


async def test_the_code_of_quarantine_is_that_of_the_specification(client: DSMILClient) -> None:
    with pytest.raises(DeviceError) as caught:
        await client.read_device(0x8009)

    assert (caught.value.code, caught.value.error_code) == ("DEVICE_QUARANTINED", "QUARANTINED")


async def test_a_write_arrives_and_tells_what_was_there_before(client: DSMILClient) -> None:
    result = await client.write_device(0x8030, Register.CONFIG, 0x12345678, justification=WHY)

    assert result.success
    assert (result.data, result.read_back) == (0x12345678, 0x12345678)
    assert (await client.read_device(0x8030, Register.CONFIG)).data == 0x12345678


async def test_a_refused_write_is_returned_and_raises_when_asked_to(client: DSMILClient) -> None:
    result = await client.write_device(0x800C, Register.CONFIG, 1)

    assert not result.success
    assert result.error_code == "JUSTIFICATION_REQUIRED"
    with pytest.raises(DSMILError) as caught:
        result.raise_for_status()
    assert caught.value.code == "JUSTIFICATION_REQUIRED"


async def test_a_write_whose_answer_is_lost_happens_once(
    simulator: DeviceSimulator, client: DSMILClient
) -> None:
    simulator.lose_next_answer(path="/operations")

    result = await client.write_device(0x8030, Register.CONFIG, 0x42, justification=WHY)

    assert result.success
    assert result.data == 0x42
    history = await client.get_device_history(0x8030)
    assert [item.operation_type for item in history.operations].count("WRITE") == 1


async def test_devices_are_configured_activated_deactivated_and_reset(client: DSMILClient) -> None:
    configured = await client.configure_device(0x8030, {"threshold": 1024, "mode": "continuous"}, WHY)
    activated = await client.activate_device(0x8030, WHY)
    deactivated = await client.deactivate_device(0x8030, WHY)
    reset = await client.reset_device(0x8030, WHY)

    assert [item.operation_type for item in (configured, activated, deactivated, reset)] == [
        "CONFIG", "ACTIVATE", "DEACTIVATE", "RESET",
    ]  # fmt: skip
    assert all(item.success for item in (configured, activated, deactivated, reset))


async def test_a_bulk_iterates_as_its_results_do_and_names_what_was_denied(client: DSMILClient) -> None:
    result = await client.bulk_read(range(0x8008, 0x800E), Register.STATUS, max_concurrency=2, timeout=10.0)

    assert list(result) == list(result.results)
    assert [item.device_id for item in result] == list(range(0x8008, 0x800E))
    assert (result.summary.total, result.summary.successful, result.summary.denied) == (6, 3, 3)
    assert {item.error_code for item in result if not item.success} == {"DEVICE_QUARANTINED"}


async def test_a_bulk_beyond_the_limit_of_the_server_is_one_bulk_to_the_caller() -> None:
    limits = Limits(bulk_operation_max_devices=10, rate_limiting=False)
    async with DeviceSimulator(limits=limits) as simulator, DSMILClient(simulator.url) as client:
        (await client.authenticate("admin", "dsmil_admin_2024")).raise_for_status()
        before = len(simulator.requests)

        result = await client.bulk_read(range(0x800C, 0x8018), Register.TEMP)
        one_by_one = await client.bulk_read(range(0x800C, 0x8018), Register.TEMP, execution_mode="sequential")
        sent = len(simulator.requests) - before

    assert [item.device_id for item in result] == list(range(0x800C, 0x8018))
    assert result.summary.successful == 12
    assert one_by_one.success
    assert sent == 4


async def test_a_bulk_in_which_a_device_is_silent_ends_in_time_with_the_others_results(
    simulator: DeviceSimulator, client: DSMILClient
) -> None:
    simulator.set_fault(0x800D, "silent")

    result = await client.bulk_read([0x800C, 0x800D, 0x800E], Register.TEMP, timeout=1.0, max_concurrency=3)

    assert [item.success for item in result] == [True, False, True]
    assert result[1].error_code == "TIMEOUT"


async def test_operations_of_several_kinds_travel_as_one_bulk(client: DSMILClient) -> None:
    operations = [
        BulkOperation(device_id=0x8030, operation="read", register=Register.STATUS),
        BulkOperation(device_id=0x8031, operation=OperationType.WRITE, register=Register.CONFIG, data=7),
    ]

    result = await client.bulk_execute(operations, justification=WHY)

    assert result.success
    assert (result[0].operation_type, result[1].data) == ("READ", 7)
    with pytest.raises(InvalidParameter, match="no operation"):
        await client.bulk_execute([BulkOperation(device_id=1, operation="wipe")])


async def test_a_batch_sends_what_was_added_when_it_is_executed(client: DSMILClient) -> None:
    async with client.batch_context(justification=WHY) as batch:
        batch.add_read(0x8000, Register.STATUS)
        batch.add_write(0x8031, Register.CONFIG, 9)
        results = await batch.execute()
        batch.add_read(0x8001)

    assert [item.success for item in results] == [True, True]
    assert len(batch) == 0


async def test_kept_readings_tell_their_age_and_go_when_the_device_is_written(
    simulator: DeviceSimulator, client: DSMILClient
) -> None:
    client.enable_cache(cache_ttl=30, cache_size=10)
    first = await client.read_device(0x8030, Register.CONFIG)
    before = len(simulator.requests)

    kept = await client.read_device(0x8030, Register.CONFIG)
    assert len(simulator.requests) == before
    assert kept.data == first.data
    assert kept.age > 0
    assert client.get_debug_info().cache_hit_rate == 0.5

    await client.write_device(0x8030, Register.CONFIG, 77, justification=WHY)
    assert (await client.read_device(0x8030, Register.CONFIG)).data == 77
    assert (await client.read_device(0x8030, Register.CONFIG, fresh=True)).age == 0

    await client.trigger_emergency_stop(WHY)
    assert (await client.read_device(0x8030, Register.CONFIG)).data == 0x80000000


async def test_under_a_stop_changes_are_refused_with_its_code_until_it_is_released(
    client: DSMILClient,
) -> None:
    stop = await client.trigger_emergency_stop("smoke", scope="ALL")
    assert len(stop.confirmed) == 84
    assert not stop.unconfirmed

    status = await client.get_emergency_status()
    assert (status.is_active, "admin" in status.triggered_by) == (True, True)
    refused = await client.write_device(0x8030, Register.CONFIG, 1, justification=WHY)
    assert (refused.success, refused.error_code) == (False, "EMERGENCY_STOP")

    released = await client.release_emergency_stop("the smoke has gone")
    assert released.success
    assert not (await client.get_emergency_status()).is_active


async def test_lists_are_filtered_and_longer_than_a_page_if_wanted(client: DSMILClient) -> None:
    devices = await client.list_devices(device_group=0, limit=50)
    high = await client.list_devices(risk_level="HIGH", status="ACTIVE")
    all_of_them = await client.list_devices(include_quarantined=True, limit=1000)

    assert {device.device_group for device in devices} == {0}
    assert {device.risk_level for device in high} == {"HIGH"}
    assert len(all_of_them) == 84
    assert (await client.get_device(0x8000)).capabilities == ["READ", "WRITE", "CONFIG"]


async def test_status_and_capabilities_have_the_names_of_the_specification(client: DSMILClient) -> None:
    status = await client.get_system_status()
    capabilities = await client.get_capabilities()

    assert status.overall_status == "NORMAL"
    assert (status.device_summary.active_devices, status.device_summary.quarantined_devices) == (79, 5)
    assert "DEVICE_READ" in capabilities.supported_operations
    assert capabilities.rate_limits["bulk_operation_max_devices"] == 84


async def test_the_error_handler_sees_what_is_raised_and_what_is_returned(client: DSMILClient) -> None:
    seen: list[str] = []
    client.set_error_handler(lambda error: seen.append(error.code))

    with pytest.raises(DeviceNotFound):
        await client.get_device(0x9999)
    await client.write_device(0x800C, Register.CONFIG, 1)
    await client.bulk_read([0x8000, 0x8009])

    assert seen == ["DEVICE_NOT_FOUND", "JUSTIFICATION_REQUIRED", "DEVICE_QUARANTINED"]


async def test_a_token_is_renewed_before_it_ends(simulator: DeviceSimulator, client: DSMILClient) -> None:
    session = client._api.session
    spent = session.access_token
    session._renew_at = 0.0

    await asyncio.gather(*(client.get_device(0x8000 + number) for number in range(5)))

    assert session.access_token != spent
    assert simulator.requests.count(("POST", "/api/v2/auth/refresh")) == 1, "one renewal for all"


async def test_a_token_that_the_server_calls_over_is_renewed_once_and_the_request_repeated(
    simulator: DeviceSimulator, client: DSMILClient
) -> None:
    over = b'{"error":{"code":"TOKEN_EXPIRED","message":"over","request_id":"r"}}'
    simulator.fail_next(401, content=over, path="/devices/")

    assert (await client.get_device(0x8000)).device_id == 0x8000
    assert simulator.requests.count(("POST", "/api/v2/auth/refresh")) == 1

    simulator.fail_next(401, content=over, times=50, path="/devices/")
    with pytest.raises(AuthenticationError):
        await client.get_device(0x8000)
    assert simulator.requests.count(("POST", "/api/v2/auth/refresh")) == 2, "no loop"


async def test_nothing_secret_is_logged(simulator: DeviceSimulator, caplog: pytest.LogCaptureFixture) -> None:
    async with DSMILClient(simulator.url) as client:
        client.enable_debug_mode()
        client.enable_security_logging()
        client.enable_performance_logging()
        with caplog.at_level(logging.DEBUG, logger="dsmilctl"):
            await client.authenticate("operator", "dsmil_op_2024")
            token = client._api.session.access_token
            await client.read_device(0x8000)
        client.enable_debug_mode(False)

    assert "/auth/login" in caplog.text
    assert "dsmil_op_2024" not in caplog.text
    assert token not in caplog.text


async def test_performance_and_security_records_have_their_forms(
    client: DSMILClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.enable_performance_logging(True)
    client.enable_security_logging(True)

    with caplog.at_level(logging.INFO, logger="dsmilctl.client"):
        await client.read_device(0x8000)
        with pytest.raises(DeviceQuarantined):
            await client.read_device(0x8009)

    records = [msgspec.json.decode(record.message) for record in caplog.records if record.message[0] == "{"]
    requests = [record for record in records if record["event"] == "request"]
    assert requests[0]["path"] == f"/api/v2/devices/{0x8000}/operations"
    assert requests[0]["status"] == 200
    refused = [record for record in records if record["event"] == "refused"]
    assert refused[0] | {"timestamp": ""} == {
        "timestamp": "", "event": "refused", "user": "admin", "outcome": "DENIED",
        "error_code": "DEVICE_QUARANTINED", "device_id": 0x8009,
    }  # fmt: skip


async def test_a_profile_divides_the_time_of_a_block(client: DSMILClient) -> None:
    with client.performance_profile() as profiler:
        await client.read_device(0x8000)

    assert 0 < profiler.network_time <= profiler.duration
    assert profiler.processing_time == pytest.approx(profiler.duration - profiler.network_time)
    metrics = client.get_performance_metrics()
    assert metrics.success_rate == 100.0
    assert metrics.avg_latency > 0
    assert metrics.ops_per_second > 0


async def test_a_slow_device_does_not_hold_up_others(simulator: DeviceSimulator, client: DSMILClient) -> None:
    simulator.set_fault(0x800C, "silent")

    slow = asyncio.create_task(client.read_device(0x800C))
    await asyncio.sleep(0.05)
    assert (await client.read_device(0x800D)).success

    with pytest.raises(OperationTimeout):
        await slow
