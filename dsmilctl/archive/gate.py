"""Gate: keeps a recorder from ending while another process writes into its archive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from dsmilctl.archive.places import Places


@contextmanager
def kept_open(places: Places) -> Iterator[None]:
    """While this is entered no recorder ends; a recorder enters it for its own end.  Raises OSError."""
    import fcntl

    file = os.open(places.gate, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
