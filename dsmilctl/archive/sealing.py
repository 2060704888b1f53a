"""Sealing: turns full stretches of the hot store into segments while recording goes on."""

from __future__ import annotations

import logging
import threading

import pyarrow as pa

from dsmilctl.archive.places import Places
from dsmilctl.archive.sealing_process import written_aside
from dsmilctl.archive.segments import LARGEST, seal_all
from dsmilctl.archive.writer import Writer
from dsmilctl.errors import DSMILError

LOGGER = logging.getLogger("dsmilctl.archive.sealing")
LOOK = 0.25
"""Seconds from one look at the hot store to the next."""


class Sealer:
    """Seals whenever a segment's worth of readings is hot, from `start` to `close`."""

    def __init__(self, places: Places, writer: Writer, least: int = LARGEST) -> None:
        self._places = places
        self._writer = writer
        self._least = least
        self._sealed = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="archive-sealer", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """End after what is being sealed now."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(LOOK):
            if self._writer.written - self._sealed < self._least:
                continue
            try:
                self._sealed += self._seal()
            except (OSError, DSMILError, pa.ArrowException) as error:
                LOGGER.error("readings stay hot: %s", error)
                self._ending.wait(10 * LOOK)

    def _seal(self) -> int:
        """Seal what is due; how many readings that were.  The writing is done by a process of its own."""
        written = written_aside(self._places, self._writer.recording_id, self._least // 2)
        if written is None:
            return 0
        self._writer.work(written.replace).result()
        LOGGER.info("%d readings sealed into %s", written.readings, written.rows[0][1])
        return written.readings


def seal_rest(places: Places, writer: Writer) -> None:
    """Seal what is hot of a recording that ends; what cannot be sealed stays hot."""
    try:
        writer.flush()
        seal_all(places, writer.recording_id, writer.work)
    except (OSError, DSMILError, pa.ArrowException) as error:
        LOGGER.error("readings stay hot: %s", error)
