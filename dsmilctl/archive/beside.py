"""Beside: the readings of a recording in other formats, written at once with the hot store.

Every commit first adds to each file and then, in the transaction that holds the readings themselves, notes
how long each file is.  What lies behind that length counts for nothing and is cut away: so all formats hold
the same readings, up to the same commit, whatever ends a recorder.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa

from dsmilctl.archive.asking import Wanted
from dsmilctl.archive.blocks import batch_of, fields_of, text_of
from dsmilctl.archive.closing import file_digest
from dsmilctl.archive.database import changing
from dsmilctl.archive.exporting import Layout, export
from dsmilctl.archive.hot import KIND_NAMES, QUALITY_NAMES
from dsmilctl.archive.importing import PLAIN
from dsmilctl.archive.live import LIVE, Length, Live, remove
from dsmilctl.archive.places import Places
from dsmilctl.archive.scanning import Scan
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.model.device import show_id
from dsmilctl.model.reading import Reading

LOGGER = logging.getLogger("dsmilctl.archive.beside")
NOTE = """UPDATE sinks SET readings = ?, bytes = ?, parts = ? WHERE session_id = ? AND format = ?"""
FINISHED = (
    "UPDATE sinks SET readings = ?, bytes = ?, parts = '[]', sha256 = ? WHERE session_id = ? AND format = ?"
)


def require_formats(names: Iterable[str]) -> tuple[str, ...]:
    """The formats of those names, each once; raises InvalidParameter."""
    chosen = tuple(dict.fromkeys(names))
    for name in chosen:
        if name not in LIVE:
            hint = nearest(name, LIVE) or f"one of {', '.join(LIVE)}"
            raise InvalidParameter(f"no format {name!r} to record beside", hint=hint, target="--also")
    return chosen


class Beside:
    """The files beside one recording while it runs; the writer's thread calls all but `finish`."""

    def __init__(self, places: Places, recording_id: str, formats: Sequence[str]) -> None:
        places.beside.mkdir(mode=0o700, exist_ok=True)
        self._recording = recording_id
        self._places = places
        self._live: dict[str, Live] = {
            name: LIVE[name](places.beside / f"{recording_id}.{name}.live") for name in formats
        }
        self._kept = {name: live.length for name, live in self._live.items()}

    def begin(self, connection: sqlite3.Connection) -> None:
        """Note that there are such files."""
        rows = [(self._recording, name) for name in self._live]
        connection.executemany("INSERT INTO sinks (session_id, format) VALUES (?, ?)", rows)

    def put(self, connection: sqlite3.Connection, readings: Sequence[Reading], *, synced: bool) -> None:
        """Add readings to each file and note its length, inside the transaction of the readings."""
        if not readings:
            return
        batch = plain_batch(readings)
        for name, live in self._live.items():
            live.append(batch)
            if synced:
                live.sync()
            note(connection, self._recording, name, live.length)

    def kept(self) -> None:
        """The transaction is through."""
        for name, live in self._live.items():
            live.kept()
            self._kept[name] = live.length

    def undo(self) -> None:
        """The transaction is not: every file is as it was before it."""
        for name, live in self._live.items():
            try:
                live.cut(self._kept[name])
            except (OSError, ValueError) as error:
                LOGGER.error("%s cannot be cut back now; it will be when it is finished: %s", name, error)

    def finish(self) -> None:
        """Close the files and make each what an export would be; the recording has ended."""
        for live in self._live.values():
            live.close()
        finish_all(self._places, self._recording)


def note(connection: sqlite3.Connection, recording_id: str, format: str, length: Length) -> None:
    """Note how much of a live file counts."""
    parts = msgspec.json.encode(length.parts).decode()
    connection.execute(NOTE, (length.readings, length.bytes, parts, recording_id, format))


class _Noted(msgspec.Struct, frozen=True):
    """A file that is not finished, and how much of its live form counts."""

    recording_id: str
    format: str
    length: Length


def finish_all(places: Places, recording_id: str = "") -> list[Path]:
    """Finish what is not, of one recording or of all that have ended; the files that were made.

    A live file that is cut to what was noted of it becomes the final one; where it is damaged or shorter
    (a power cut), the archive itself is read, which holds the same.
    """
    with changing(places.database) as connection:
        made = [_finish(places, connection, item) for item in _unfinished(connection, recording_id)]
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        left = {f"{item.recording_id}.{item.format}.live" for item in _unfinished(connection, "")}
    for path in places.beside.glob("*.live"):
        if path.name not in left:
            remove(path)
    return made


def _unfinished(connection: sqlite3.Connection, recording_id: str) -> list[_Noted]:
    query = "SELECT session_id, format, readings, bytes, parts FROM sinks WHERE sha256 IS NULL"
    return [
        _Noted(identity, name, Length(readings=count, bytes=size, parts=tuple(msgspec.json.decode(parts))))
        for identity, name, count, size, parts in connection.execute(query)
        if recording_id in ("", identity)
    ]


def _finish(places: Places, connection: sqlite3.Connection, noted: _Noted) -> Path:
    identity, name = noted.recording_id, noted.format
    path = final(places, identity, name)
    try:
        written = _from_live(places, noted)
    except (OSError, ValueError, LookupError, pa.ArrowException, msgspec.MsgspecError) as error:
        LOGGER.warning("%s is written out of the archive: %s", path.name, error)
        written = rewrite(places, identity, name)
    row = (written, path.stat().st_size, file_digest(path), identity, name)
    connection.execute(FINISHED, row)
    return path


def _from_live(places: Places, noted: _Noted) -> int:
    """Make the final file out of the live one; raises ValueError where that does not hold what it should."""
    identity, name = noted.recording_id, noted.format
    with Scan(places) as scan:
        description = scan.description(identity)
    live = LIVE[name](places.beside / f"{identity}.{name}.live")
    try:
        live.cut(noted.length)
        rows = pa.RecordBatchReader.from_batches(PLAIN, (batch.cast(PLAIN) for batch in live.batches()))
        written = export(rows, description, final(places, identity, name), Layout(name), lambda _: None)
    finally:
        live.close()
    if written != noted.length.readings:
        raise ValueError(f"it holds {written} readings and should hold {noted.length.readings}")
    return written


def rewrite(places: Places, identity: str, name: str) -> int:
    """Write a final file out of the archive; how many readings it holds."""
    with Scan(places) as scan:
        rows = scan.readings(Wanted(recording=identity))
        path = final(places, identity, name)
        return export(rows, scan.description(identity), path, Layout(name), lambda _: None)


def mend(places: Places, connection: sqlite3.Connection, file: str) -> bool:
    """Write one of the final files again out of the archive; whether it is one of those."""
    for identity, name in connection.execute("SELECT session_id, format FROM sinks").fetchall():
        path = final(places, identity, name)
        if path.name == file:
            written = rewrite(places, identity, name)
            connection.execute(FINISHED, (written, path.stat().st_size, file_digest(path), identity, name))
            return True
    return False


def final(places: Places, identity: str, name: str) -> Path:
    """Where the file of a format is in the end."""
    return places.beside / f"{identity}.{name}"


def plain_batch(readings: Sequence[Reading]) -> pa.RecordBatch:
    """Readings as columns with every word written out, as they are exported."""
    fields = fields_of(readings)
    columns = batch_of(fields, [0] * len(readings))
    words = {
        "device": [text_of(show_id(item)) for item in fields["device_id"]],
        "register": [text_of(item) for item in fields["register"]],
        "unit": [text_of(item) for item in fields["unit"]],
        "kind": [KIND_NAMES[number] for number in columns.column("kind").to_pylist()],
        "quality": [QUALITY_NAMES[number] for number in columns.column("quality").to_pylist()],
    }
    times = {"time": columns.column("timestamp").cast(pa.timestamp("ns"))}
    arrays = [
        pa.array(words[field.name], pa.string()) if field.name in words
        else times.get(field.name, columns.column(field.name) if field.name in columns.schema.names else None)
        for field in PLAIN
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays(arrays, schema=PLAIN)
