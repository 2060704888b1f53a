"""The snippets of the SDK specification up to analysis, and its first program, run against a real server."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import dsmilctl
from dsmilctl import DSMILClient, DSMILError, Register
from dsmilctl.client.remote.results import SystemEvent
from dsmilctl.testing import DeviceSimulator, MockDSMILClient
from tests.sdk.seed import adapted, run, snippets, specification

SPECIFICATION = specification()
pytestmark = pytest.mark.skipif(
    SPECIFICATION is None, reason="the specification does not lie beside this checkout (../shared/seeds)"
)
CODE = snippets(SPECIFICATION.read_text()) if SPECIFICATION else {}
ERROR = 0x80000001


@pytest_asyncio.fixture
async def simulator() -> AsyncIterator[DeviceSimulator]:
    async with DeviceSimulator() as running:
        yield running


@pytest_asyncio.fixture
async def names(simulator: DeviceSimulator) -> AsyncIterator[dict[str, Any]]:
    """What a snippet may use without having said where it comes from."""
    async with DSMILClient(simulator.url) as client:
        (await client.authenticate("admin", "dsmil_admin_2024")).raise_for_status()
        known = {name: getattr(dsmilctl, name) for name in ("DSMILClient", "Register", "RateLimitError")}
        yield {**known, "client": client, "asyncio": asyncio, "__name__": "specification"}


@pytest.fixture(autouse=True)
def a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulator: DeviceSimulator
) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DSMIL_BASE_URL", simulator.url)
    yield
    for name in ("dsmilctl", "dsmil_client"):
        logger = logging.getLogger(name)
        for handler in [item for item in logger.handlers if item.get_name() == "dsmilctl.configure_logging"]:
            handler.close()
            logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


async def run_section(section: str, names: dict[str, Any], address: str) -> None:
    for number, code in enumerate(CODE[section], 1):
        await run(adapted(code, address), f"section {section}, snippet {number}", names)


async def closing(names: dict[str, Any], first: Any) -> None:
    """Close the clients that a snippet made and left open."""
    for made in list(names.values()):
        if isinstance(made, DSMILClient) and made is not first:
            await made.close()


async def leave_open_ends() -> None:
    """Quick Start never closes its client: Python warns of its socket here, and not in some later test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
        await asyncio.sleep(0)


def test_the_specification_has_the_sections_that_these_tests_are_about() -> None:
    wanted = {*map(str, (*range(1, 10), *range(13, 18))), "Quick Start"}

    assert wanted <= set(CODE)


async def test_quick_start(
    simulator: DeviceSimulator, names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    simulator.set_register(0x8000, "STATUS", 0x12345678)

    await run_section("Quick Start", names, simulator.url)
    await names["main"]()
    await leave_open_ends()

    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Device status: 0x12345678", "Device 0x8000: 0x12345678"]
    assert len(lines) == 4


async def test_1_clients_are_made_by_address_by_configuration_and_by_environment(
    simulator: DeviceSimulator, names: dict[str, Any]
) -> None:
    first = names["client"]

    await run_section("1", names, simulator.url)

    assert names["config"].user_agent == "MyApp/1.0"
    assert names["client"].config.base_url == simulator.url
    await closing(names, first)


async def test_2_every_login_returns_what_came_of_it(
    simulator: DeviceSimulator, names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await run_section("2", names, simulator.url)

    assert not names["auth_result"].success, "nobody has that service token"
    assert capsys.readouterr().out.startswith("Authentication failed: ")
    names["auth_result"] = await names["client"].authenticate(
        "operator", "secure_password", client_type="python"
    )
    check = adapted(CODE["2"][0], simulator.url).partition("# Check authentication status")[2]
    await run(check, "section 2, the check", names)
    assert capsys.readouterr().out.splitlines()[:2] == ["Logged in as operator", "Clearance: SECRET"]


async def test_3_the_system_tells_of_itself(
    simulator: DeviceSimulator, names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await run_section("3", names, simulator.url)

    printed = capsys.readouterr().out
    for line in (
        "System status: NORMAL",
        "Active devices: 79",
        "Quarantined devices: 5",
        "System healthy: True",
    ):
        assert line in printed


async def test_4_devices_are_listed_described_and_have_a_history(
    simulator: DeviceSimulator, names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await run_section("4", names, simulator.url)

    printed = capsys.readouterr().out
    assert "Device capabilities: ['READ', 'WRITE', 'CONFIG']" in printed
    assert "Found 0 historical operations" in printed, "the snippet asks about a month that is past"


async def test_5_devices_are_read_written_configured_and_streamed(
    simulator: DeviceSimulator, names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry: list[Any] = []
    names["process_telemetry_data"] = telemetry.append
    simulator.set_register(0x8001, "TEMP", 0x80000001)

    await run_section("5", names, simulator.url)

    assert isinstance(names["status"].data, int)
    assert names["bulk_result"].summary.total == 16
    assert "Bulk operation completed: 13/16" in capsys.readouterr().out
    assert len(names["mixed_result"].results) == 3
    for program in ("monitor_devices", "continuous_monitoring"):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(names[program](), 3)
    assert "WARNING: High temperature on device 0x8001" in capsys.readouterr().out
    assert {item.device_id for item in telemetry} == {0x8000, 0x8001, 0x8002}


async def test_6_a_websocket_calls_back(simulator: DeviceSimulator, names: dict[str, Any]) -> None:
    handled: list[SystemEvent] = []
    names["handle_emergency_stop"] = handled.append
    updates: list[Any] = []
    names["handle_device_update"] = updates.append

    def handle_system_event(event: SystemEvent) -> None:
        if event.type == "EMERGENCY_STOP":
            handled.append(event)

    names["handle_system_event"] = handle_system_event
    running = asyncio.create_task(run_section("6", names, simulator.url))
    while "ws_client" not in names or not names["ws_client"].connected:
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.5)
    await names["client"].trigger_emergency_stop("seen by the snippet")
    while not handled:
        await asyncio.sleep(0.05)
    await names["ws_client"].close()
    await asyncio.wait_for(running, 10)

    assert 0x8000 in {update.device_id for update in updates}
    assert handled[0].severity == "CRITICAL"


async def test_7_everything_is_stopped_and_released(
    simulator: DeviceSimulator, names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await run_section("7", names, simulator.url)

    assert "Emergency stop active: " in capsys.readouterr().out
    assert len(names["emergency_result"].confirmed) == 84
    assert names["release_result"].success
    assert not (await names["client"].get_emergency_status()).is_active


async def test_8_errors_are_typed_and_handled(
    simulator: DeviceSimulator, names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[DSMILError] = []
    names |= {
        "username": "admin",
        "password": "dsmil_admin_2024",
        "client_type": "python",
        "quarantined_devices": [0x8000],
        "implement_backoff": lambda seconds: None,
        "log_security_event": seen.append,
    }
    missing = b'{"error":{"code":"DEVICE_QUARANTINED","message":"kept apart","request_id":"r"}}'
    simulator.fail_next(423, content=missing, path="/operations")

    await run_section("8", names, simulator.url)
    with pytest.raises(DSMILError):
        await names["client"].read_device(0x8009)

    assert capsys.readouterr().out.splitlines() == [
        "Device error: 32768 - QUARANTINED",
        "Device is quarantined",
    ]
    assert [error.code for error in seen] == ["DEVICE_QUARANTINED"]


async def test_9_pool_cache_batch_and_metrics(
    simulator: DeviceSimulator, names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await run_section("9", names, simulator.url)

    assert [result.success for result in names["results"]] == [True, True, False]
    assert names["results"][2].error_code == "JUSTIFICATION_REQUIRED", (
        "the snippet gives no reason for its write"
    )
    assert "Success rate: " in capsys.readouterr().out


async def test_13_configuration_comes_from_the_environment_and_from_files(
    simulator: DeviceSimulator, names: dict[str, Any], tmp_path: Path
) -> None:
    code = CODE["13"][0]
    written = code.partition("# dsmil_config.yaml:\n")[2].replace("# ", "").replace("#", "")
    (tmp_path / "dsmil_config.yaml").write_text(adapted(written, simulator.url))
    (tmp_path / ".env").write_text("DSMIL_TIMEOUT=12\n")
    first = names["client"]

    await run_section("13", names, simulator.url)

    assert (names["config"].username, names["config"].max_connections) == ("operator", 20)
    assert (await names["client"].read_device(0x8000)).success, "the file's login is made by itself"
    await closing(names, first)


async def test_14_logs_are_configured(
    simulator: DeviceSimulator, names: dict[str, Any], tmp_path: Path
) -> None:
    await run_section("14", names, simulator.url)
    await names["client"].read_device(0x8000)

    written = (tmp_path / "dsmil_client.log").read_text()
    assert "dsmil_client - INFO - Starting DSMIL client application" in written
    assert '"event":"request"' in written


async def test_15_programs_are_tested_with_a_mock_and_a_simulator(names: dict[str, Any]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://localhost:{free.getsockname()[1]}"
    first = names["client"]

    await run_section("15", names, address)

    async with MockDSMILClient() as mock:
        mock.mock_authenticate(success=True, clearance="SECRET")
        mock.mock_device_read(0x8000, Register.STATUS, 0x12345678)
        await names["test_device_read"](mock)
    test_client = names["test_client"]
    (await test_client.authenticate("operator", "secure_password")).raise_for_status()
    assert (await test_client.read_device(0x8000)).data == 1
    assert len(await test_client.list_devices()) == 2
    await closing(names, first)
    await names["simulator"].stop()


async def test_16_a_client_tells_what_it_is_doing(
    simulator: DeviceSimulator, names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await run_section("16", names, simulator.url)

    printed = capsys.readouterr().out
    assert "Active connections: 0" in printed
    assert "Cache hit rate: 0.00%" in printed
    assert "Operation took: " in printed
    names["client"].enable_debug_mode(False)


async def test_17_the_monitoring_program_alerts_of_errors_of_silence_and_of_stops(
    simulator: DeviceSimulator, names: dict[str, Any]
) -> None:
    simulator.set_register(0x8001, "STATUS", ERROR)
    simulator.set_fault(0x8002, "disconnect")
    await run_section("17", names, simulator.url)
    monitor = names["DeviceMonitor"](simulator.url)
    alerts: list[tuple[str, str]] = []

    async def send_alert(message: str, severity: str = "INFO") -> None:
        alerts.append((severity, message))

    monitor.send_alert = send_alert
    running = asyncio.create_task(monitor.start_monitoring())
    while len(alerts) < 2:
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    await names["client"].trigger_emergency_stop("seen by the program")
    while not any(severity == "CRITICAL" for severity, _ in alerts):
        await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.wait([running])
    await monitor.client.close()

    assert ("HIGH", f"ALERT: Device 0x8001 error code: 0x{ERROR:08X}") in alerts
    assert ("HIGH", "ALERT: Device 0x8002 is offline") in alerts
    assert "CRITICAL: Emergency stop activated" in next(
        text for severity, text in alerts if severity == "CRITICAL"
    )
