"""Trust: whether a stranger's driver lies where nobody else can change it.

A driver runs with the rights of whoever starts this program, so its files and folders must belong to root,
to the user or to the owner of this program, and must not be writable by everybody.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path


def distrust(module: str) -> str:
    """Why the package of a module is not to be imported; an empty string when it may be."""
    owners = {0, os.geteuid(), Path(__file__).stat().st_uid}
    for path in _places(module.partition(".")[0]):
        try:
            status = path.lstat()
        except OSError:
            continue  # it vanished, or lies in an archive: the import will tell
        if status.st_mode & stat.S_IWOTH and not stat.S_ISLNK(status.st_mode):
            return f"{path} can be changed by everybody"
        if status.st_uid not in owners:
            return f"{path} belongs to user {status.st_uid}"
    return ""


def _places(package: str) -> Iterator[Path]:
    """Every file and folder of a top-level package, and the folders that it is found in."""
    from importlib.util import find_spec

    spec = find_spec(package)
    if spec is None:
        return
    if spec.origin and spec.has_location:
        yield Path(spec.origin)
        yield Path(spec.origin).parent
    for folder in spec.submodule_search_locations or ():
        yield Path(folder).parent
        for root, _, files in os.walk(folder):
            yield Path(root)
            yield from (Path(root, file) for file in files)
