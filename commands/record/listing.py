"""`dsmilctl record list|show|status`: which recordings there are, and what records now."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from dsmilctl.archive import recording as recordings
from dsmilctl.archive.backup.attempts import last_attempt
from dsmilctl.archive.checks.quick import last_check, quick_look
from dsmilctl.archive.extra import require_archive
from dsmilctl.archive.finding import Checked
from dsmilctl.archive.lock import holder
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import Recording
from dsmilctl.archive.supervision import Supervision
from dsmilctl.clock import NANOSECONDS, SYSTEM, rfc3339
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.place import ArchiveFolder, RecordingName, places_of, reading
from dsmilctl.commands.runner import show as show_data
from dsmilctl.config.paths import paths
from dsmilctl.errors import MissingExtraError
from dsmilctl.tables import Column

app = Noun("record")

RECORDING_COLUMNS = (
    Column("recording_id", "RECORDING"),
    Column("name", flexible=True),
    Column("status"),
    Column("started"),
    Column("duration_s", "SECONDS", right=True),
    Column("readings", right=True),
    Column("operations", right=True),
    Column("events", right=True),
    Column("context"),
    Column("operator", wide=True),
    Column("host", wide=True),
    Column("tags", wide=True, sparse=True),
)


@app.command("list", impact="read")
def list_(archive: ArchiveFolder = "") -> None:
    """List the recordings, newest first.

    Example: dsmilctl record list
    """
    rows: list[dict[str, Any]] = []
    if places_of(archive).exists:
        with reading(archive) as connection:
            rows = [recording_row(connection, item) for item in recordings.recordings(connection)]
    empty = "nothing was recorded yet: dsmilctl record run --name NAME"
    show_data(rows, schema="record.list/1", columns=RECORDING_COLUMNS, empty=empty)


@app.command(impact="read")
def show(recording: RecordingName, archive: ArchiveFolder = "") -> None:
    """Show one recording: what it holds, who made it, on what.

    Example: dsmilctl record show last
    """
    with reading(archive) as connection:
        found = recordings.find(connection, recording)
        row = recording_row(connection, found)
        row |= recordings.counts(connection, found.recording_id)
        row |= {"notes": found.notes, "versions": found.versions}
    show_data(row, schema="record.show/1")


@app.command(impact="read")
def status(archive: ArchiveFolder = "") -> None:
    """Show recorder, archive, integrity and backups: what records now, how large it is, how sound.

    Integrity is what can be proved in a moment, and how the last `record check` went, which reads everything.

    Example: dsmilctl record status -o json
    """
    places = places_of(archive)
    row: dict[str, Any] = {"archive": str(places.folder), "recorder": holder(places.lock) or None}
    row["health"] = _health(places, row["recorder"])
    if places.exists:
        with reading(archive) as connection:
            row |= _sizes(connection)
            row["integrity"] = _integrity(places, connection)
        row["hot_bytes"] = places.database.stat().st_size
    state, message = last_attempt(paths().backup_status_file).state(SYSTEM.now())
    row |= {"backup": state, "backup_message": message, "backups": _backups()}
    show_data(row, schema="record.status/1")


def _integrity(places: Places, connection: sqlite3.Connection) -> dict[str, Any]:
    """What a quick look finds, and how the last full check went."""
    found = quick_look(places, connection)
    last = last_check(paths().check_file(places.folder))
    return {
        "sound": Checked(findings=tuple(found)).sound,
        "found": [f"{item.where}: {item.what}" for item in found],
        "checked": None if last is None else rfc3339(last.at),
        "check_sound": None if last is None else last.sound,
        "check_found": None if last is None else list(last.found),
    }


def _backups() -> dict[str, Any] | None:
    """How many backups there are on this machine, the newest one, and the bytes of all; None without zstd."""
    try:
        require_archive()
    except MissingExtraError:
        return None
    from dsmilctl.archive.backup.folder import Folder
    from dsmilctl.archive.backup.repository import Repository

    target = Folder(paths().backup_folder)
    known = Repository(target).manifests()
    return {
        "count": len(known),
        "latest": known[0].name if known else None,
        "latest_at": rfc3339(known[0].created) if known else None,
        "bytes": sum((target.folder / name).stat().st_size for name in target.names()),
    }


def _health(places: Places, recorder: str | None) -> dict[str, Any] | None:
    """How the recorder that runs now says that it is, and where its log lies."""
    supervision = Supervision(paths().recorder_folder(places.folder))
    health = supervision.health()
    if health is None or recorder != f"process {health.process}":
        return None
    told: dict[str, Any] = msgspec.to_builtins(health)
    told |= {"started": rfc3339(health.started), "updated": rfc3339(health.updated)}
    return told | {"log": str(supervision.log) if health.detached else None}


def _sizes(connection: sqlite3.Connection) -> dict[str, Any]:
    known = recordings.recordings(connection)
    running = [item.recording_id for item in known if item.status == "running"]
    readings = connection.execute("SELECT coalesce(sum(readings), 0) FROM chunks").fetchone()[0]
    files, sealed, size = connection.execute(
        """SELECT count(*), coalesce(sum(readings) FILTER (WHERE tier = 'raw'), 0), coalesce(sum(bytes), 0)
           FROM segments"""
    ).fetchone()
    return {
        "recordings": len(known),
        "recording": running[0] if running else None,
        "hot_readings": readings,
        "sealed_readings": sealed,
        "segments": files,
        "segment_bytes": size,
    }


def recording_row(connection: sqlite3.Connection, recording: Recording) -> dict[str, Any]:
    """A recording as a row, with what it holds."""
    counted = recordings.counts(connection, recording.recording_id)
    ended = recording.ended or (SYSTEM.now() if recording.status == "running" else recording.started)
    return {
        "recording_id": recording.recording_id,
        "name": recording.name,
        "status": recording.status,
        "type": recording.type,
        "started": rfc3339(recording.started),
        "ended": None if recording.ended is None else rfc3339(recording.ended),
        "duration_s": round((ended - recording.started) / NANOSECONDS, 1),
        "readings": counted["readings"],
        "operations": counted["operations"],
        "events": counted["events"],
        "context": recording.context,
        "operator": recording.operator,
        "host": recording.host,
        "tags": list(recording.tags),
    }
