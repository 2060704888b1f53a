"""Archived: what an archive knows, as methods of a program: tests, summaries, temperatures, exports."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dsmilctl.archive.database import DAMAGED, connect, unusable
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import counts, find
from dsmilctl.archive.tokens import TokenTest, parse_token, query_token_tests
from dsmilctl.errors import NotFound


class Archived:
    """An archive to be read, also while something records into it.

    `archive` is its folder, the user's own without one.  Recordings are named by id, by name, or `last`.
    Every method raises NotFound where nothing was ever recorded or there is no such recording, and
    StateUnavailable for a damaged database.
    """

    def __init__(self, archive: str | Path | None = None) -> None:
        self.places = Places(Path(archive) if archive else _own_folder())

    def query_token_tests(
        self,
        session_id: str = "",
        token_id: int | str | None = None,
        success: bool | None = None,
        limit: int = 0,
    ) -> list[TokenTest]:
        """Token tests, newest first: of a recording, of a token (`0x480`, 1152), with an outcome.

        Durations are in milliseconds, temperatures in °C, times in nanoseconds UTC; `limit` 0 is all of them.
        Raises InvalidParameter for what is no token.
        """
        with self._reading() as connection:
            return query_token_tests(
                connection,
                recording_id=find(connection, session_id).recording_id if session_id else "",
                token_id=None if token_id is None else parse_token(token_id),
                success=success,
                limit=limit,
            )

    def get_session_summary(self, session_id: str = "last") -> dict[str, Any]:
        """One recording: who, when, how many readings, operations, events and tests, and how it went.

        `success_rate` is in percent (0 to 100) of the tests with an outcome and None without any;
        `max_temperature` is in °C, `avg_cpu_usage` and `avg_memory_usage` are in percent.
        """
        with self._reading() as connection:
            found = find(connection, session_id).recording_id
            (row,) = _rows(connection, "SELECT * FROM session_summary WHERE session_id = ?", found)
            return row | counts(connection, found)

    def get_thermal_analysis(self, session_id: str = "last") -> list[dict[str, Any]]:
        """For each token test the temperatures (°C) in the 30 s before its beginning and the 30 s after.

        `temp_delta` is the difference of the means, None where one of them is not known; `thermal_events`
        counts readings above a limit.  In the order of the tests.
        """
        with self._reading() as connection:
            found = find(connection, session_id).recording_id
            query = (
                "SELECT * FROM thermal_impact_analysis WHERE session_id = ? ORDER BY test_timestamp, test_id"
            )
            return _rows(connection, query, found)

    def export_session_data(
        self, path: str | Path, session_id: str = "last", *, format: str = "", table: str = "readings"
    ) -> int:
        """Write the readings of a recording, or the rows of another `table` of it, to a file; how many.

        The format is that of the file's name unless it is named: csv, excel, json, ndjson, parquet, arrow,
        dsm.  The file is whole or not there.  Raises InvalidParameter for a format or table that there is
        not, and OSError.
        """
        from dsmilctl.archive.asking import Wanted
        from dsmilctl.archive.exporting import export, layout_of
        from dsmilctl.archive.scanning import Scan
        from dsmilctl.archive.tables import READINGS, require_table, rows_of

        path = Path(path)
        layout = layout_of(path, format)
        require_table(table)
        self._require()
        with Scan(self.places) as scan:
            described = scan.description(session_id)
            identity = described.recording.recording_id
            if table == READINGS:
                rows = scan.readings(Wanted(recording=identity))
                return export(rows, described, path, layout, _heard)
            return export(rows_of(scan.store, table, identity), None, path, layout, _heard)

    def _require(self) -> None:
        if not self.places.exists:
            folder = str(self.places.folder)
            raise NotFound(f"there is no archive in {folder}", hint="record something first", target=folder)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        self._require()
        connection = connect(self.places.database, read_only=True)
        try:
            yield connection
        except DAMAGED as error:
            raise unusable(self.places.database, error) from error
        finally:
            connection.close()


def _own_folder() -> Path:
    from dsmilctl.config.paths import paths

    return paths().archive_folder


def _rows(connection: sqlite3.Connection, query: str, *values: Any) -> list[dict[str, Any]]:
    found = connection.execute(query, values)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]


def _heard(count: int) -> None:
    """Nobody waits to hear how far an export is."""
