"""Federation: devices behind another server, as a driver shows them, on good days and on bad ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.drivers.answers import nothing_read
from dsmilctl.drivers.contract import DriverContext
from dsmilctl.drivers.dsmil import DsmilDriver, DsmilOptions
from dsmilctl.drivers.errand import Errand, sent_on
from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed, Reconnect
from dsmilctl.errors import (
    AuthenticationError,
    ConfigError,
    DeviceQuarantined,
    DSMILError,
    EmergencyStopActive,
    InvalidParameter,
    NetworkError,
    OperationTimeout,
    PermissionDenied,
    Unreachable,
)
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import DeviceState
from dsmilctl.model.register import find_register
from dsmilctl.server.gateway import Limits
from dsmilctl.testing.clock import StandingClock
from dsmilctl.testing.simulator import DeviceSimulator
from tests.drivers.far import LOW, OTHER, QUARANTINED, far_driver, reaching
from tests.drivers.simulators import CONFIG, TEMP

BULK = ("POST", "/api/v2/operations/bulk")
STOP = ("POST", "/api/v2/emergency/stop")
LOGIN = ("POST", "/api/v2/auth/login")


@pytest.fixture
async def far() -> AsyncIterator[DeviceSimulator]:
    """A server with simulated devices."""
    async with DeviceSimulator() as simulator:
        yield simulator


async def test_devices_come_with_their_registers_risk_and_quarantine(
    far: DeviceSimulator,
) -> None:
    async with reaching(far) as (driver, devices):
        assert len(devices) == 84
        assert devices[QUARANTINED].quarantined
        assert devices[0x8000].risk == "CRITICAL"
        assert find_register(devices[LOW].registers, "CONFIG").safe == 0x80000000
        assert dict(devices[LOW].facts)["id there"] == "0x803C"
        assert {"configure", "reset", "identify"} <= set(driver.commands)


async def test_a_selector_and_a_prefix_make_two_servers_fit_into_one_fleet(far: DeviceSimulator) -> None:
    async with reaching(far, devices="0x803C-0x803F", prefix="north-") as (driver, devices):
        assert list(devices) == ["north-0x803C", "north-0x803D", "north-0x803E", "north-0x803F"]
        assert [type(value) for value in await driver.read(devices["north-0x803C"], [TEMP])] == [int]


@pytest.mark.parametrize(("limit", "requests"), [(84, 1), (30, 3)])
async def test_a_fleet_is_read_in_as_few_requests_as_the_server_allows(limit: int, requests: int) -> None:
    limits = Limits(bulk_operation_max_devices=limit, rate_limiting=False)
    async with DeviceSimulator(limits=limits) as far, reaching(far) as (driver, devices):
        before = len(far.requests)

        answers = await driver.read_many([(device, [TEMP, CONFIG]) for device in devices.values()])

        assert far.requests[before:] == [BULK] * requests
        assert sum(isinstance(answer, DSMILError) for two in answers for answer in two or ()) == 2 * 5


async def test_devices_that_are_asked_singly_at_the_same_time_travel_together(
    far: DeviceSimulator,
) -> None:
    async with reaching(far) as (driver, devices):
        before = len(far.requests)

        await asyncio.gather(*(driver.read(device, [TEMP]) for device in devices.values()))

        assert far.requests[before:] == [BULK]


async def test_a_silent_device_behind_the_server_costs_its_own_answer_alone(far: DeviceSimulator) -> None:
    async with reaching(far, timeout=2.0) as (driver, devices):
        far.set_fault(LOW, "silent")

        answers = await driver.read_many([(devices[LOW], [TEMP]), (devices[OTHER], [TEMP])])

        assert [type(answer) for one in answers for answer in one or ()] == [OperationTimeout, int]


async def test_a_write_is_read_back_there_and_knows_its_operation_and_journal(far: DeviceSimulator) -> None:
    errand = Errand("op-here", user="ada", justification="new setpoint for the shift")
    async with reaching(far) as (driver, devices):
        with sent_on(errand):
            await driver.write(devices[LOW], CONFIG, 5)

        assert await driver.read(devices[LOW], [CONFIG]) == [5]
    assert errand.reference is not None
    assert errand.reference.system in far.url
    lines = [item for item in await journal(far) if item.operation_id == errand.reference.journal]
    assert errand.reference.operation_id == errand.reference.journal
    assert {(line.outcome, line.user) for line in lines} == {("INTENT", "admin"), ("SUCCESS", "admin")}


async def test_the_other_journal_tells_who_asked_at_the_gateway_and_why(far: DeviceSimulator) -> None:
    async with reaching(far) as (driver, devices):
        with sent_on(Errand("op-here", user="ada", justification="new setpoint for the shift")):
            await driver.write(devices[LOW], CONFIG, 5)

    intents = [item for item in await journal(far) if item.action == "device.write"]
    assert {item.parameters.get("justification") for item in intents} >= {
        "new setpoint for the shift (op-here of ada at the gateway)"
    }


async def test_a_stop_in_force_there_is_one_here_and_the_device_stays_well(
    far: DeviceSimulator,
) -> None:
    async with reaching(far) as (driver, devices):
        managed, lifecycle = Managed(devices[LOW], driver, 0), Lifecycle()
        await far.gateway.client.stop(None, reason="smoke")

        with pytest.raises(EmergencyStopActive, match="smoke"):
            await lifecycle.apply_write(managed, CONFIG, 5)

        assert managed.state is DeviceState.CONNECTED
        assert [reading.good for reading in await lifecycle.read(managed, [TEMP])] == [True]


async def test_quarantine_and_clearance_keep_their_codes_and_fail_no_device(
    far: DeviceSimulator,
) -> None:
    async with reaching(far) as (driver, devices):
        managed, lifecycle = Managed(devices[QUARANTINED], driver, 0), Lifecycle()

        with pytest.raises(DeviceQuarantined, match="0x8009") as refusal:
            await lifecycle.apply_write(managed, CONFIG, 5)
        readings = await lifecycle.read(managed, [TEMP])

        assert refusal.value.device_id == QUARANTINED
        assert [reading.error_code for reading in readings] == ["DEVICE_QUARANTINED"]
        assert managed.state is DeviceState.CONNECTED
    async with reaching(far, user="analyst") as (driver, devices):
        managed = Managed(devices[0x8000], driver, 0)
        with pytest.raises(PermissionDenied):
            await lifecycle.apply_write(managed, CONFIG, 5)
        assert managed.state is DeviceState.CONNECTED


async def test_safe_states_are_one_stop_there_of_those_devices_alone(far: DeviceSimulator) -> None:
    async with reaching(far) as (driver, devices):
        before = len(far.requests)

        outcomes = await driver.safe_many([devices[LOW], devices[OTHER]])
        (stop,) = await far.gateway.client.stops()

        assert outcomes == [True, True]
        assert far.requests[before:] == [STOP]
        assert stop.devices == (LOW, OTHER)
        with pytest.raises(EmergencyStopActive):
            await driver.write(devices[LOW], CONFIG, 5)
        await driver.write(devices[0x803E], CONFIG, 5)


async def test_a_stop_waits_for_no_renewal_of_a_login_that_is_still_good() -> None:
    async with DeviceSimulator(token_lifetime=60) as far, reaching(far) as (driver, devices):
        api = await driver.conversation.ready(urgent=True)
        api.session.adopt(
            msgspec.structs.replace(await _renewed(far, api.session.refresh_token), expires_in=0)
        )
        assert api.session.due
        before = len(far.requests)

        assert await driver.safe_many([devices[LOW]]) == [True]

        assert far.requests[before:] == [STOP]


async def _renewed(far: DeviceSimulator, refresh_token: str) -> Any:
    return await far.gateway.access.refresh(refresh_token, address="127.0.0.1")


async def test_orders_of_the_same_moment_are_one_stop_however_often_they_are_repeated(
    far: DeviceSimulator,
) -> None:
    async with reaching(far) as (driver, devices):
        far.delay_next(0.3, path="emergency")
        many = asyncio.create_task(driver.safe_many([devices[LOW], devices[OTHER]]))
        await asyncio.sleep(0)

        await asyncio.gather(driver.safe_state(devices[LOW]), driver.safe_state(devices[OTHER]))
        await many

        assert len(await far.gateway.client.stops()) == 1


async def test_a_device_that_does_not_confirm_there_is_not_said_to_be_stopped(far: DeviceSimulator) -> None:
    async with reaching(far) as (driver, devices):
        far.set_fault(LOW, "silent")

        outcomes = await driver.safe_many([devices[LOW], devices[OTHER]])

        assert outcomes == [None, True]
        with pytest.raises(OperationTimeout, match="did not confirm"):
            await driver.safe_state(devices[LOW])


async def test_a_server_that_was_killed_costs_its_devices_until_it_is_back(far: DeviceSimulator) -> None:
    port = int(far.url.rpartition(":")[2])
    async with reaching(far) as (driver, devices):
        managed = Managed(devices[LOW], driver, 0)
        lifecycle = Lifecycle(reconnect=Reconnect(first=0.01, cap=0.02))
        assert (await lifecycle.read(managed, [TEMP]))[0].good

        await far.stop()
        gone = (await lifecycle.read(managed, [TEMP]))[0]
        state = managed.state
        await far.start_server(port)
        back = [(await lifecycle.read(managed, [TEMP], deadline=20.0))[0] for _ in range(2)]

        assert (gone.error_code, state) == ("NETWORK_ERROR", DeviceState.ERROR)
        assert back[-1].good, back[-1].error
        assert managed.state is DeviceState.CONNECTED


async def test_a_fleet_behind_a_server_that_is_away_is_one_question(
    far: DeviceSimulator,
) -> None:
    async with reaching(far) as (driver, devices):
        await far.stop()

        answers = await driver.read_many([(device, [TEMP, CONFIG]) for device in devices.values()])

        assert all(isinstance(nothing_read(each or ()), Unreachable) for each in answers)


async def test_a_gateway_that_starts_while_the_server_is_away_knows_the_devices_it_had(
    far: DeviceSimulator, tmp_path: Path
) -> None:
    port = int(far.url.rpartition(":")[2])
    async with reaching(far, state=tmp_path, prefix="north-") as (_, before):
        pass
    await far.stop()

    async with reaching(far, state=tmp_path, prefix="north-") as (driver, devices):
        managed, lifecycle = Managed(devices["north-0x803C"], driver, 0), Lifecycle()
        away = (await lifecycle.read(managed, [TEMP], deadline=20.0))[0]
        await far.start_server(port)
        back = (await lifecycle.read(managed, [TEMP], deadline=20.0))[0]

        assert devices == before
        assert "identify" in driver.commands
        assert (away.error_code, back.good) == ("NETWORK_ERROR", True)
    other = far_driver("http://127.0.0.1:9", state=tmp_path, prefix="north-")
    with pytest.raises(NetworkError):
        await other.discover()
    await other.shutdown()


async def test_a_slow_server_is_waited_for_as_long_as_the_options_say(far: DeviceSimulator) -> None:
    async with reaching(far, timeout=0.2) as (driver, devices):
        far.delay_next(30.0, path="bulk")

        (answer,) = await driver.read(devices[LOW], [TEMP])

        assert isinstance(answer, OperationTimeout)
        assert isinstance((await driver.read(devices[LOW], [TEMP]))[0], int | OperationTimeout)


async def test_a_token_that_ran_out_and_a_session_that_was_ended_are_begun_anew() -> None:
    clock = StandingClock()
    async with DeviceSimulator(clock=clock, token_lifetime=60) as far, reaching(far) as (driver, devices):
        clock.advance(61)
        assert isinstance((await driver.read(devices[LOW], [TEMP]))[0], int)

        (session,) = far.gateway.access.sessions(await somebody(far, driver))
        await far.gateway.access.logout(await somebody(far, driver), session.session_id)

        assert isinstance((await driver.read(devices[LOW], [TEMP]))[0], int)


async def test_a_refused_login_is_not_repeated_before_it_could_lock_the_account(far: DeviceSimulator) -> None:
    clock = StandingClock()
    driver = far_driver(far.url, clock=clock, password="wrong")
    for _ in range(5):
        with pytest.raises(AuthenticationError):
            await driver.discover()
    assert far.requests == [LOGIN]

    clock.advance(901)
    with pytest.raises(AuthenticationError):
        await driver.discover()

    assert far.requests == [LOGIN, LOGIN]
    await driver.shutdown()


async def test_a_write_whose_answer_is_lost_is_not_sent_again(far: DeviceSimulator) -> None:
    async with reaching(far) as (driver, devices):
        before = len(far.requests)
        far.lose_next_answer(path="operations")

        with pytest.raises(Unreachable):
            await driver.write(devices[LOW], CONFIG, 7)

        assert len(far.requests) == before + 1
        assert await driver.read(devices[LOW], [CONFIG]) == [7]


async def test_a_subscription_comes_back_and_counts_what_it_missed(
    far: DeviceSimulator,
) -> None:
    port = int(far.url.rpartition(":")[2])
    async with reaching(far) as (driver, devices):
        values = aiter(driver.subscribe([devices[LOW]], ["TEMP"], 0.1))
        device, register, value = (await anext(values))[0]
        assert (device, register.name, type(value)) == (devices[LOW], "TEMP", int)

        await far.stop()
        await far.start_server(port)
        async with asyncio.timeout(60):
            while not driver.missed:
                await anext(values)

        assert driver.missed >= 1
        await values.aclose()  # type: ignore[attr-defined] # it is a generator


async def test_what_is_missing_in_the_options_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    for wrong in ({"url": "ftp://x"}, {"url": "http://a:b@c"}):
        with pytest.raises(ConfigError):
            msgspec.convert(wrong, DsmilOptions)
    with pytest.raises(InvalidParameter):
        DsmilOptions(url="http://far", devices="0x9-0x1")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"url": "http://far", "prefix": "0x"}, DsmilOptions)
    for options, what in (
        ({"url": "http://far"}, "no account"),
        ({"url": "http://far", "secret": "nowhere"}, "no secret 'nowhere'"),
    ):
        driver = DsmilDriver(msgspec.convert(options, DsmilOptions), DriverContext(tmp_path))
        with pytest.raises(ConfigError, match=what):
            await driver.discover()


async def test_nobody_there_is_a_network_error_that_names_the_server() -> None:
    driver = far_driver("http://127.0.0.1:9", timeout=2.0)

    with pytest.raises(NetworkError, match=r"127\.0\.0\.1:9"):
        await driver.discover()

    await driver.shutdown()


async def journal(far: DeviceSimulator) -> list[AuditRecord]:
    """The records of the other journal."""
    found: list[AuditRecord] = await far.gateway.client.audit(HistoryQuery(limit=1000))
    return found


async def somebody(far: DeviceSimulator, driver: DsmilDriver) -> Any:
    """Whom the driver's token names."""
    api = await driver.conversation.ready()
    return far.gateway.access.authenticate(api.session.access_token)
