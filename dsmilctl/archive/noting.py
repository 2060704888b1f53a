"""Noting: puts what a person has to say into a recording, while it runs and afterwards."""

from __future__ import annotations

from dsmilctl.archive import recording as recordings
from dsmilctl.archive.database import connect
from dsmilctl.archive.gate import kept_open
from dsmilctl.archive.lock import holder
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import Recording
from dsmilctl.archive.rows import event_row, insert_of
from dsmilctl.archive.store import Store
from dsmilctl.errors import Conflict
from dsmilctl.model.event import Event

NOTE = "note"
"""The type of an event that a person wrote."""


def note(places: Places, wanted: str, text: str, now: int) -> Recording:
    """Put a note with its time (ns UTC) into a recording; returns once it is on the medium.

    Beside a recorder the archive is only written while that cannot end, as it describes it to the last bit
    then.  Raises NotFound.
    """
    while True:
        with kept_open(places):
            if holder(places.lock):
                return _insert(places, wanted, Event(NOTE, text, now))
        try:
            with Store(places):
                return _insert(places, wanted, Event(NOTE, text, now))
        except Conflict:
            continue  # a recorder has begun in between


def tell(places: Places, event: Event) -> bool:
    """Put an event of another program into the recording that runs; whether one does."""
    if not places.exists:
        return False
    with kept_open(places):
        if not holder(places.lock):
            return False
        _insert(places, "last", event)
        return True


def _insert(places: Places, wanted: str, event: Event) -> Recording:
    connection = connect(places.database)
    try:
        found = recordings.find(connection, wanted)
        row = event_row(found.recording_id, event)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(insert_of("events"), row)
        return found
    finally:
        connection.close()
