"""All fleets: the stops in force in any of them, for what takes effect in all, as switching a driver does."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dsmilctl.guard.files import is_temporary
from dsmilctl.guard.latch_files import Held, held_by, leads_nowhere, marks, unreadable

_BESIDE = (".history", ".unreadable")
"""How the names of folders end that lie beside those of the stops."""


def stops_of_all(roots: Iterable[Path]) -> list[Held]:
    """The stops of every fleet below some folders; what cannot be read is one of everything."""
    return [held for root in roots for held in _below(root)]


def _below(root: Path) -> list[Held]:
    try:
        names = sorted(path.name for path in root.iterdir())
    except OSError as error:
        return _missing(root, error)
    places = (root / name for name in names if not name.endswith(_BESIDE) and not is_temporary(name))
    return [held for place in places for held in _in(place)]


def _in(place: Path) -> list[Held]:
    try:
        return held_by(place, marks(place))
    except OSError as error:
        return _missing(place, error)


def _missing(place: Path, error: OSError) -> list[Held]:
    """Nothing for a folder that is not there; a stop for one that cannot be read."""
    if isinstance(error, FileNotFoundError) and not leads_nowhere(place):
        return []
    return [unreadable(place, error.strerror or os.strerror(error.errno or 0))]
