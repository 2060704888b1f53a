"""Old files: databases and sessions as the recording system before this one wrote them, faults included."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

BEGUN = 1_756_713_600.25
"""1 September 2025, 8:00:00.25 UTC, in Unix seconds."""

SESSION = "session_20250901_080000"
JULIAN = BEGUN / 86400 + 2_440_587.5
SCHEMA = """
CREATE TABLE test_sessions (session_id TEXT PRIMARY KEY, session_name TEXT, start_timestamp REAL,
  end_timestamp REAL, session_type TEXT, total_tokens INTEGER DEFAULT 0, successful_tokens INTEGER DEFAULT 0,
  failed_tokens INTEGER DEFAULT 0, emergency_stops INTEGER DEFAULT 0, thermal_warnings INTEGER DEFAULT 0,
  status TEXT, operator TEXT, notes TEXT, created_at REAL DEFAULT (julianday('now')), updated_at REAL);
CREATE TABLE token_definitions (token_id INTEGER PRIMARY KEY, hex_id TEXT UNIQUE, group_id INTEGER);
CREATE TABLE token_tests (test_id INTEGER PRIMARY KEY, session_id TEXT, token_id INTEGER, test_timestamp REAL,
  access_method TEXT, operation_type TEXT, initial_value TEXT, set_value TEXT, final_value TEXT,
  expected_value TEXT, test_duration_ms INTEGER, success BOOLEAN, error_code TEXT, error_message TEXT,
  retry_count INTEGER, notes TEXT, created_at REAL);
CREATE TABLE system_metrics (metric_id INTEGER PRIMARY KEY, test_id INTEGER, session_id TEXT,
  metric_timestamp REAL, cpu_percent REAL, memory_percent REAL, memory_available_gb REAL,
  disk_usage_percent REAL, system_load_1min REAL, system_load_5min REAL, system_load_15min REAL,
  uptime_hours REAL, process_count INTEGER, created_at REAL);
CREATE TABLE thermal_readings (reading_id INTEGER PRIMARY KEY, test_id INTEGER, session_id TEXT,
  reading_timestamp REAL, sensor_name TEXT, temperature_celsius REAL, critical_temp REAL, warning_temp REAL,
  thermal_state TEXT, fan_speed_rpm INTEGER, thermal_throttling BOOLEAN, created_at REAL);
CREATE TABLE kernel_messages (message_id INTEGER PRIMARY KEY, test_id INTEGER, session_id TEXT,
  message_timestamp REAL, log_level TEXT, subsystem TEXT, message_text TEXT, raw_message TEXT,
  correlation_tags TEXT, created_at REAL);
CREATE TABLE dsmil_responses (response_id INTEGER PRIMARY KEY, test_id INTEGER, session_id TEXT,
  response_timestamp REAL, group_id INTEGER, device_id INTEGER, response_type TEXT, previous_state TEXT,
  new_state TEXT, response_data TEXT, memory_address INTEGER, memory_size INTEGER,
  correlation_strength REAL, response_delay_ms REAL, created_at REAL);
CREATE TABLE discovery_log (discovery_id INTEGER PRIMARY KEY, test_id INTEGER, session_id TEXT,
  discovery_timestamp REAL, discovery_type TEXT, token_ids TEXT, title TEXT, description TEXT,
  evidence_data TEXT, confidence_level REAL, verified BOOLEAN, notes TEXT, created_at REAL);
CREATE VIEW session_summary AS SELECT * FROM test_sessions;
"""


def session(**fields: Any) -> dict[str, Any]:
    return {
        "session_id": SESSION, "session_name": "Token Test", "start_timestamp": BEGUN, "end_timestamp": None,
        "session_type": "manual", "status": "running", "operator": "ada", "notes": "first",
        "emergency_stops": 1, "thermal_warnings": 2,
    } | fields  # fmt: skip


def token_test(**fields: Any) -> dict[str, Any]:
    return {
        "test_id": 7, "session_id": SESSION, "token_id": 0x4C7, "test_timestamp": BEGUN + 10,
        "access_method": "smbios-token-ctl", "operation_type": "read", "initial_value": "0",
        "final_value": "1", "test_duration_ms": 500, "success": 1, "retry_count": 0, "notes": "",
        "created_at": JULIAN,
    } | fields  # fmt: skip


def response(**fields: Any) -> dict[str, Any]:
    return {
        "session_id": SESSION, "response_timestamp": BEGUN + 11, "group_id": 101, "device_id": 11,
        "response_type": "group_status", "new_state": "active", "correlation_strength": 0.8,
    } | fields  # fmt: skip


def thermal(**fields: Any) -> dict[str, Any]:
    return {
        "session_id": SESSION, "reading_timestamp": BEGUN + 12, "sensor_name": "cpu",
        "temperature_celsius": 61.5, "thermal_state": "normal", "thermal_throttling": 0,
    } | fields  # fmt: skip


def write_database(path: Path, **tables: list[dict[str, Any]]) -> Path:
    """A database with these rows; it stays in WAL mode with what was written last in its log."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
        for table, rows in ({"test_sessions": [session()]} | tables).items():
            for row in rows:
                marks = ", ".join(f":{name}" for name in row)
                connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)
        connection.commit()
    return path


def write_session(path: Path, info: dict[str, Any] | None = None, **tables: list[dict[str, Any]]) -> Path:
    """A JSON session, indented by two as it was; its rows carry the group that the old recorder computed."""
    document = {"session_info": info or session(), **tables}
    path.write_text(json.dumps(document, indent=2))
    return path
