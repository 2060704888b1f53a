"""Source: the rows of an old SQLite database or JSON session, table by table, as they stand there."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dsmilctl.archive.compression import opened
from dsmilctl.archive.importing import LONGEST_DOCUMENT
from dsmilctl.errors import InvalidParameter

SQLITE, JSON = "sqlite", "json"
MAGIC = b"SQLite format 3\x00"
LOOK = 65536
"""Bytes at the beginning of a JSON file in which an old session shows."""

TABLES = (
    "test_sessions", "token_tests", "system_metrics", "thermal_readings", "kernel_messages",
    "dsmil_responses", "discovery_log",
)  # fmt: skip
"""What is read, parents first."""

Row = dict[str, Any]
Rows = dict[str, list[Row]]


def kind_of(path: Path) -> str:
    """SQLITE or JSON for a file of the old system, empty for any other."""
    try:
        with opened(path) as file:
            first = file.read(LOOK)
    except ValueError:
        return ""  # whoever reads other files says what is wrong with this one
    if first.startswith(MAGIC):
        return SQLITE
    return JSON if first.lstrip()[:1] == b"{" and b'"session_info"' in first else ""


def read(path: Path, kind: str) -> Rows:
    """Everything that is read of a file; raises InvalidParameter for one that is damaged."""
    try:
        return _of_database(path) if kind == SQLITE else _of_document(path)
    except (sqlite3.Error, ValueError, RecursionError) as error:
        raise _unreadable(path, str(error) or type(error).__name__) from error


def _unreadable(path: Path, why: str) -> InvalidParameter:
    first = why.partition("\n")[0]
    return InvalidParameter(f"{path.name} is no recording of the old system: {first}", target=str(path))


def _of_database(path: Path) -> Rows:
    with _copy(path) as copy, closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA cell_size_check = ON")
        connection.row_factory = sqlite3.Row
        plain = {
            name
            for name, text in connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")
            if not str(text).upper().startswith("CREATE VIRTUAL")
        }
        if "segments" in plain:
            raise ValueError("it is an archive of this program; bring it in with backup or export")
        if "test_sessions" not in plain:
            raise ValueError("it has no table test_sessions")
        return {name: _rows(connection, name) for name in TABLES if name in plain}


def _rows(connection: sqlite3.Connection, table: str) -> list[Row]:
    return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid")]


@contextmanager
def _copy(path: Path) -> Iterator[Path]:
    """A copy of a database with its log beside it: what is imported stays as it is, to the byte."""
    with TemporaryDirectory(prefix="dsmilctl-") as folder:
        copy = Path(folder) / "old.db"
        with opened(path) as packed, copy.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        log = path.with_name(f"{path.name}-wal")
        if log.is_file():
            shutil.copyfile(log, copy.with_name("old.db-wal"))
        yield copy


def _of_document(path: Path) -> Rows:
    with opened(path) as file:
        content = file.read(LONGEST_DOCUMENT + 1)
    if len(content) > LONGEST_DOCUMENT:
        raise ValueError("it is larger than any session")
    document = json.loads(content)
    if not isinstance(document, dict) or not isinstance(session := document.get("session_info"), dict):
        raise ValueError("it has no session_info")
    rows: Rows = {"test_sessions": [session]}
    for table in TABLES[1:]:
        found = document.get(table) or []
        if not isinstance(found, list):
            raise ValueError(f"{table} is no list")
        known = {"session_id": session.get("session_id")}
        rows[table] = [known | row for row in found if isinstance(row, dict)]
    return rows
