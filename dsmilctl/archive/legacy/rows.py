"""Rows: how each old table becomes rows of today: for every column where its value comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dsmilctl.archive.legacy.mending import Mending, document, number, share, text, truth, whole

Row = dict[str, Any]
Values = dict[str, Any]


def token_test(row: Row, mending: Mending) -> Values:
    """A token test; raises Unfit for a token that is none of the 72."""
    return {
        "token_id": mending.token(row),
        "test_timestamp": mending.moment(row, "test_timestamp", "timestamp", "created_at"),
        "access_method": mending.word(row, "access_method"),
        "operation_type": mending.word(row, "operation_type"),
        **{name: text(row.get(name)) for name in VALUES},
        "test_duration_ms": number(row.get("test_duration_ms")),
        "success": truth(row.get("success")),
        "error_code": text(row.get("error_code")),
        "error_message": text(row.get("error_message")),
        "retry_count": whole(row.get("retry_count")) or 0,
        "notes": text(row.get("notes")) or "",
    }


VALUES = ("initial_value", "set_value", "final_value", "expected_value")
METRICS = (
    "cpu_percent", "memory_percent", "memory_available_gb", "disk_usage_percent", "system_load_1min",
    "system_load_5min", "system_load_15min", "uptime_hours",
)  # fmt: skip


def system_metric(row: Row, mending: Mending) -> Values:
    """Metrics of the machine."""
    return {
        "metric_timestamp": mending.moment(row, "metric_timestamp", "timestamp", "created_at"),
        **{name: number(row.get(name)) for name in METRICS},
        "process_count": whole(row.get("process_count")),
    }


def thermal_reading(row: Row, mending: Mending) -> Values:
    """A temperature; one that is no number is left out."""
    return {
        "reading_timestamp": mending.moment(row, "reading_timestamp", "timestamp", "created_at"),
        "sensor_name": text(row.get("sensor_name")) or "",
        "temperature_celsius": mending.number(row, "temperature_celsius"),
        "critical_temp": number(row.get("critical_temp")),
        "warning_temp": number(row.get("warning_temp")),
        "thermal_state": mending.word(row, "thermal_state"),
        "fan_speed_rpm": whole(row.get("fan_speed_rpm")),
        "thermal_throttling": truth(row.get("thermal_throttling")) or False,
    }


def kernel_message(row: Row, mending: Mending) -> Values:
    """A message of the kernel."""
    said = text(row.get("message_text")) or ""
    return {
        "message_timestamp": mending.moment(row, "message_timestamp", "timestamp", "created_at"),
        "log_level": mending.word(row, "log_level"),
        "subsystem": text(row.get("subsystem")) or "",
        "message_text": said,
        "raw_message": text(row.get("raw_message")) or said,
        "correlation_tags": document(row.get("correlation_tags"), "[]"),
    }


def dsmil_response(row: Row, mending: Mending) -> Values:
    """An answer of a device, with its group as it should be."""
    return {
        "response_timestamp": mending.moment(row, "response_timestamp", "timestamp", "created_at"),
        "group_id": mending.group(row),
        "device_id": whole(row.get("device_id")),
        "response_type": mending.word(row, "response_type"),
        "previous_state": text(row.get("previous_state")),
        "new_state": text(row.get("new_state")),
        "response_data": text(row.get("response_data")),
        "memory_address": whole(row.get("memory_address")),
        "memory_size": whole(row.get("memory_size")),
        "correlation_strength": share(row.get("correlation_strength")),
        "response_delay_ms": number(row.get("response_delay_ms")),
    }


def discovery(row: Row, mending: Mending) -> Values:
    """Something that somebody found out."""
    return {
        "discovery_timestamp": mending.moment(row, "discovery_timestamp", "timestamp", "created_at"),
        "discovery_type": mending.word(row, "discovery_type"),
        "token_ids": document(row.get("token_ids"), "[]"),
        "title": text(row.get("title")) or "",
        "description": text(row.get("description")) or "",
        "evidence_data": document(row.get("evidence_data"), "{}"),
        "confidence_level": share(row.get("confidence_level")),
        "verified": truth(row.get("verified")) or False,
        "notes": text(row.get("notes")) or "",
    }


def lost_test(row: Row, mending: Mending) -> Values:
    """The test of a token that is none of the 72, kept whole as a discovery."""
    return {
        "discovery_timestamp": mending.moment(row, "test_timestamp", "timestamp", "created_at"),
        "discovery_type": "behavior",
        "title": f"test of token {text(row.get('token_id'))}, which is none of the 72",
        "evidence_data": document({name: text(value) for name, value in row.items()}, "{}"),
    }


MAKERS: dict[str, Callable[[Row, Mending], Values]] = {
    "token_tests": token_test,
    "system_metrics": system_metric,
    "thermal_readings": thermal_reading,
    "kernel_messages": kernel_message,
    "dsmil_responses": dsmil_response,
    "discovery_log": discovery,
}
"""For each table what makes its rows."""
