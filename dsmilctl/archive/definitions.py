"""Definitions: the 72 SMBIOS tokens and the 84 devices that every archive knows from its beginning."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

DATA = Path(__file__).parent / "data"
TOKEN = """INSERT OR IGNORE INTO token_definitions
  (token_id, hex_id, group_id, device_id, sequential_index, potential_function, confidence, accessible,
   description, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
DEVICE = "INSERT OR IGNORE INTO device_definitions VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def tokens() -> list[list[Any]]:
    """Tokens 0x480 to 0x4C7: id, hex id, group, device, index, function, confidence, accessible."""
    return msgspec.json.decode((DATA / "tokens.json").read_bytes(), type=list[list[Any]])


def devices() -> list[list[Any]]:
    """Devices: id, hex id, name, group, index, risk, quarantined, description."""
    return msgspec.json.decode((DATA / "devices.json").read_bytes(), type=list[list[Any]])


def seed(connection: sqlite3.Connection, now: int) -> None:
    """Put tokens and devices into the tables of definitions; what is there already stays."""
    rows = [
        (*row, f"Group {row[2]}, Device {row[3]}: {str(row[5]).replace('_', ' ')}", now, now)
        for row in tokens()
    ]
    connection.execute("BEGIN")
    connection.executemany(TOKEN, rows)
    connection.executemany(DEVICE, devices())
    connection.execute("COMMIT")
