"""A recorder as a process of its own: 5,000 readings a second, and what it knows of them on stdout."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from tests.archive.stand import START, some_readings

STEP = 50
PAUSE = 0.01
FLUSHED = 37
"""After so many steps it waits until everything is on the disk, and says so."""


def main(folder: Path, least: int, also: list[str]) -> None:
    """Record until somebody ends the process; a segment is sealed for every `least` readings."""
    places = Places(folder)
    with Store(places, least=least) as store:
        writer = store.begin(new_recording("killed", START), also)
        count = 0
        while True:
            writer.readings(some_readings(STEP, first=count))
            count += STEP
            os.write(1, b"given %d\n" % count)
            if count // STEP % FLUSHED == 0:
                writer.flush()
                os.write(1, b"flushed %d\n" % count)
            time.sleep(PAUSE)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
