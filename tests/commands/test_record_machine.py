"""Recordings of the machine itself: load, temperatures, kernel messages, and what heat does."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.archive.database import connect
from dsmilctl.archive.places import Places
from tests.commands.shell import STILL, Shell
from tests.drivers.fake_machine import FakeMachine, laptop

FAST = {f"DSMIL_ARCHIVE__{name}_INTERVAL": "0.1" for name in ("HOST", "KERNEL", "HEALTH", "JOURNAL")}
START = "dsmilctl -C lab record start -n heat --interval 100ms load"


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return laptop(tmp_path / "machine")


@pytest.fixture
def shell(tmp_path: Path, machine: FakeMachine) -> Iterator[Shell]:
    """A shell with the context `lab`: a made-up machine; no recorder is left behind."""
    shell = Shell(tmp_path, {**STILL, **FAST})
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(
        f"version: 2\ndevices:\n  - {{id: here, driver: host, options: {{root: {machine.root}}}}}\n"
    )
    added = shell(f"dsmilctl context add lab --fleet {fleet}")
    assert added.exit == 0, added.err
    yield shell
    shell("dsmilctl record stop")


def ask(shell: Shell, query: str) -> list[dict[str, Any]]:
    """Rows of the archive."""
    connection = connect(Places(shell.home / "data/archive").database, read_only=True)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(query)]
    finally:
        connection.close()


def rows_when(shell: Shell, query: str, enough: int = 1) -> list[dict[str, Any]]:
    """Rows as soon as there are enough of them."""
    for _ in range(200):
        if len(rows := ask(shell, query)) >= enough:
            return rows
        time.sleep(0.1)
    raise AssertionError(f"{query} finds nothing")


def test_each_look_at_the_machine_keeps_its_load_memory_disk_and_age(shell: Shell) -> None:
    shell(f"{START} --host-metrics")

    rows = rows_when(shell, "SELECT * FROM system_metrics", 3)

    row = rows[0]
    assert (row["system_load_1min"], row["system_load_5min"], row["system_load_15min"]) == (0.58, 0.22, 0.13)
    assert row["memory_percent"] == pytest.approx(25.0)
    assert row["memory_available_gb"] == pytest.approx(6_000_000 * 1024 / 1e9)
    assert row["uptime_hours"] == pytest.approx(1191.54 / 3600)
    assert row["process_count"] == 2
    assert 0 <= row["disk_usage_percent"] <= 100
    times = [row["metric_timestamp"] for row in rows]
    assert times == sorted(times)


def test_each_temperature_is_kept_with_the_limits_of_its_sensor_and_100_where_it_names_none(
    shell: Shell,
) -> None:
    shell(f"{START} --host-metrics")
    rows_when(shell, "SELECT * FROM thermal_readings", 5)

    query = "SELECT DISTINCT sensor_name, temperature_celsius, critical_temp, warning_temp, thermal_state, "
    found = ask(shell, f"{query} fan_speed_rpm, thermal_throttling FROM thermal_readings")
    package = next(row for row in found if row["temperature_celsius"] == 48.0)
    core = next(row for row in found if row["temperature_celsius"] == 45.5)
    board = next(row for row in found if row["temperature_celsius"] == 33.0)
    zone = next(row for row in found if row["temperature_celsius"] == 27.8)

    assert len(found) == 5, "no sensor twice, none missing"
    assert (package["critical_temp"], package["warning_temp"]) == (105.0, 100.0)
    assert (core["critical_temp"], core["warning_temp"]) == (100.0, None)
    assert (zone["critical_temp"], zone["warning_temp"]) == (119.0, 95.0)
    assert board["fan_speed_rpm"] == 1250
    assert {row["thermal_state"] for row in found} == {"normal"}
    assert {row["thermal_throttling"] for row in found} == {1}, "a cooling device slows the processor"


def test_fault_154_a_critical_temperature_orders_an_emergency_stop_once_and_tells_it(
    shell: Shell, machine: FakeMachine
) -> None:
    shell(f"{START} --host-metrics")
    rows_when(shell, "SELECT * FROM thermal_readings", 5)

    sensor = next((machine.root / "sys/devices").rglob("temp1_crit")).with_name("temp1_input")
    sensor.write_text("106000\n")
    rows_when(shell, "SELECT * FROM events WHERE type = 'limit.stopped'")
    sensor.write_text("90000\n")
    rows_when(shell, "SELECT * FROM events WHERE type = 'limit.cleared'")
    sensor.write_text("107000\n")
    rows_when(shell, "SELECT * FROM events WHERE type = 'limit.crossed'", 2)
    shell("dsmilctl record stop")

    (stop,) = shell("dsmilctl -C lab emergency status -o json").data
    assert "is 106 °C, at or above 105 °C (critical)" in stop["reason"]
    states = ask(shell, "SELECT DISTINCT thermal_state FROM thermal_readings WHERE temperature_celsius > 105")
    assert states == [{"thermal_state": "critical"}]
    (session,) = ask(shell, "SELECT emergency_stops, thermal_warnings FROM test_sessions")
    assert session == {"emergency_stops": 1, "thermal_warnings": 2}
    journal = shell("dsmilctl -C lab audit log -o json --type 'emergency.*'")
    assert journal.exit == 2 or "emergency" in journal.out
    assert ask(shell, "SELECT count(*) AS n FROM operations WHERE action LIKE 'emergency%'")[0]["n"] >= 1


def test_where_limits_are_only_events_a_critical_temperature_stops_nothing(
    shell: Shell, machine: FakeMachine
) -> None:
    sensor = next((machine.root / "sys/devices").rglob("temp1_crit")).with_name("temp1_input")
    shell.environment["DSMIL_ARCHIVE__LIMIT_ACTION"] = "event"
    shell(f"{START} --host-metrics")
    sensor.write_text("106000\n")

    (event,) = rows_when(shell, "SELECT severity, message FROM events WHERE type = 'limit.crossed'")
    shell("dsmilctl record stop")

    assert event["severity"] == "critical"
    assert shell("dsmilctl -C lab emergency status -o json").data == []


def test_the_setting_says_from_when_on_a_sensor_is_critical_that_names_no_limit(
    shell: Shell, machine: FakeMachine
) -> None:
    shell.environment["DSMIL_ARCHIVE__CRITICAL_TEMPERATURE"] = "40"
    shell(f"{START} --host-metrics")

    (event,) = rows_when(
        shell, "SELECT message FROM events WHERE type = 'limit.crossed' AND message LIKE '%45.5%'"
    )

    assert "at or above 40 °C (critical)" in event["message"]


def test_a_sensor_that_tells_nonsense_stops_nothing(shell: Shell, machine: FakeMachine) -> None:
    sensor = next((machine.root / "sys/devices").rglob("temp1_crit")).with_name("temp1_input")
    shell(f"{START} --host-metrics")
    for nonsense in ("9999999000", "nan", "", "-300000"):
        sensor.write_text(f"{nonsense}\n")
        before = len(ask(shell, "SELECT metric_id FROM system_metrics"))
        rows_when(shell, "SELECT metric_id FROM system_metrics", before + 2)
    shell("dsmilctl record stop")

    assert ask(shell, "SELECT * FROM events WHERE type LIKE 'limit%'") == []
    assert shell("dsmilctl -C lab emergency status -o json").data == []


def test_fault_150_kernel_messages_are_kept_with_level_and_subsystem_also_lines_in_iso_form(
    shell: Shell, machine: FakeMachine
) -> None:
    shell(f"{START} --kernel")
    time.sleep(0.5)
    with (machine.root / "dev/kmsg").open("a") as kmsg:
        kmsg.write("4,5,6000000,-;CPU0: Core temperature above threshold, cpu clock throttled\n")
        kmsg.write("2026-11-20T23:10:00,123456+01:00 dell_smbios: token 0x0480 failed\n")
        kmsg.write("kern  :crit  : 2026-11-20T22:10:01,000001+00:00 usb 1-1: device descriptor read: error\n")
        kmsg.write("30,9,6000001,-;somebody else\n")

    query = (
        "SELECT message_timestamp, log_level, subsystem, message_text, correlation_tags FROM kernel_messages"
    )
    rows = rows_when(shell, f"{query} ORDER BY message_id", 3)

    assert [(row["log_level"], row["subsystem"]) for row in rows] == [
        ("warning", "thermal"), ("err", "smbios"), ("crit", "usb"),
    ]  # fmt: skip
    assert rows[1]["message_timestamp"] == 1795212600123456000, "22:10 UTC, to the microsecond"
    assert rows[1]["correlation_tags"] == '["fail"]'
    assert rows[2]["message_text"] == "usb 1-1: device descriptor read: error"


def test_kernel_messages_that_came_faster_than_it_looks_are_a_gap(shell: Shell, machine: FakeMachine) -> None:
    shell(f"{START} --kernel")
    time.sleep(0.5)
    with (machine.root / "dev/kmsg").open("a") as kmsg:
        kmsg.write("".join(f"6,{number},{number},-;eth0: message {number}\n" for number in range(5, 1005)))

    rows_when(shell, "SELECT * FROM kernel_messages", 256)

    (gap,) = rows_when(shell, "SELECT missed, reason FROM gaps")
    assert gap == {"missed": 1000 - 256, "reason": "kernel messages were missed"}


def test_how_often_the_kernel_is_listened_to_is_a_setting(shell: Shell, machine: FakeMachine) -> None:
    shell.environment["DSMIL_ARCHIVE__KERNEL_INTERVAL"] = "3600"
    shell(f"{START} --kernel --host-metrics")
    rows_when(shell, "SELECT metric_id FROM system_metrics", 2)
    with (machine.root / "dev/kmsg").open("a") as kmsg:
        kmsg.write("4,5,6000000,-;CPU0: Core temperature above threshold\n")
    before = len(ask(shell, "SELECT metric_id FROM system_metrics"))
    rows_when(shell, "SELECT metric_id FROM system_metrics", before + 10)

    assert ask(shell, "SELECT * FROM kernel_messages") == []


def test_the_interval_of_the_machine_is_a_setting(shell: Shell) -> None:
    def looks(interval: str) -> int:
        environment = {"DSMIL_ARCHIVE__HOST_INTERVAL": interval}
        line = "dsmilctl -C lab record run -n x load --host-metrics --for 1s"
        shell(line, environment=environment)
        query = "SELECT count(*) AS n FROM system_metrics GROUP BY session_id ORDER BY min(metric_id) DESC"
        return int(ask(shell, query)[0]["n"])

    assert looks("0.05") > 2 * looks("5") == 2


def test_a_recording_of_simulated_devices_has_the_metrics_of_this_machine(shell: Shell) -> None:
    done = shell("dsmilctl -C sim record run -n x --for 1s --host-metrics -o json")

    assert done.exit == 0, done.err
    rows = ask(shell, "SELECT process_count, cpu_percent FROM system_metrics")
    assert rows[0]["process_count"] > 1
    assert 0 <= rows[-1]["cpu_percent"] <= 100
    assert shell("dsmilctl record check").exit == 0


def test_values_that_cannot_be_of_a_simulated_sensor_order_no_stop(shell: Shell) -> None:
    faulty = {"DSMIL_SIM_OPTIONS": '{"faults": ["wrong:0x8003"]}'}

    shell("dsmilctl -C sim record run -n x @all TEMP --interval 0.1 --for 1s", environment=faulty)

    assert shell("dsmilctl -C sim emergency status -o json").data == []
    assert ask(shell, "SELECT * FROM events WHERE type = 'limit.stopped'") == []
