"""Old files: what `dsmilctl record import` makes of a database or a session of the system before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsmilctl import diagnostics
from dsmilctl.commands.record.place import places_of
from dsmilctl.commands.runner import show

if TYPE_CHECKING:
    from dsmilctl.archive.legacy.intake import TakenIn


def import_old(file: Path, kind: str, name: str, archive: str) -> None:
    """Bring the sessions of an old file in, and say what was repaired and what was left out."""
    from dsmilctl.archive.legacy.intake import take_in_old
    from dsmilctl.archive.store import Store

    with Store(places_of(archive)) as store:
        done = take_in_old(store.places, file, kind, name=name)
    for what, count in done.left_out.items():
        diagnostics.warn(f"left out, {count} times: {what}")
    show(_row(done), schema="record.import.old/1")


def _row(done: TakenIn) -> dict[str, Any]:
    listed = [
        {"recording_id": item.recording_id, "name": item.name, "status": item.status}
        for item in done.recordings
    ]
    return {
        "recordings": listed,
        "rows": done.rows,
        "repaired": done.repaired,
        "left_out": done.left_out,
    }
