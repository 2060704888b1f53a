"""Backing up as a process of its own, again and again; each backup that is made is told on stdout."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dsmilctl.archive.backup.creating import create
from dsmilctl.archive.backup.folder import Folder
from dsmilctl.archive.backup.repository import Repository
from dsmilctl.archive.places import Places


def main(archive: Path, backups: Path) -> None:
    """Make one backup after the other."""
    os.write(1, b"begun\n")
    while True:
        made = create(Places(archive), Repository(Folder(backups)))
        os.write(1, f"made {made.name}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
