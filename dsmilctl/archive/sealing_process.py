"""Sealing process: writes one segment and ends, so that the recorder needs neither its memory nor DuckDB."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec

from dsmilctl import stdout
from dsmilctl.archive.places import Places
from dsmilctl.archive.segments import Written, write_next
from dsmilctl.errors import DSMILError


def written_aside(places: Places, recording_id: str, least: int) -> Written | None:
    """What `write_next` returns for a recording that goes on, carried out by another process.

    Raises DSMILError with what that said.  The other process ends when this one does, however that happens.
    """
    line = [sys.executable, "-m", __name__, str(places.folder.absolute()), recording_id, str(least)]
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        told = process.stdout.read()
        complaint = process.stderr.read().decode("utf-8", "replace").strip()
    if process.returncode:
        last = complaint.splitlines()[-1] if complaint else f"status {process.returncode}"
        raise DSMILError(f"the process that seals failed: {last}")
    return msgspec.msgpack.decode(told, type=Written | None)


def main(folder: str, recording_id: str, least: str) -> None:
    """Write the next segment and say on stdout what was written."""
    threading.Thread(target=_end_with_the_recorder, daemon=True).start()
    written = write_next(Places(Path(folder)), recording_id, least=int(least), ended=False)
    stdout.write_bytes(msgspec.msgpack.encode(written))


def _end_with_the_recorder() -> None:
    """Its end closes the pipe; what is half written is cleared by the next recorder."""
    while os.read(0, 4096):
        continue
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
