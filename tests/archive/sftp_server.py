"""SFTP server: one that runs while a test does, and whose key the user of a home folder knows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving_sftp(home: Path, folder: Path) -> Iterator[int]:
    """The port of a server that shows a folder to ada, whose password is engine."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.archive.sftp_process", str(folder)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        port, _, key = process.stdout.readline().decode().strip().partition(" ")
        (home / ".ssh").mkdir()
        (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{port} {key}\n")
        yield int(port)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
