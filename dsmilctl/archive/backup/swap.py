"""Swap: puts one folder into the place of another in a single step."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from dsmilctl.archive.closing import sync_folder
from dsmilctl.errors import StateUnavailable

AT_FDCWD = -100
EXCHANGE = 2
"""RENAME_EXCHANGE of Linux and RENAME_SWAP of macOS.  Source: renameat2(2), renamex_np(2)."""

CANNOT = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
"""What is answered where the exchange is not known, by some file systems of a network."""


def put_in_place(new: Path, place: Path) -> Path | None:
    """Move a folder to `place`; where one was there, it is at `new` afterwards, which is returned.

    Whoever looks sees the old folder or the new one.  Both lie in the same folder.  Raises OSError.
    """
    if not place.exists():
        new.rename(place)
        sync_folder(place.parent)
        return None
    exchange(new, place)
    sync_folder(place.parent)
    return new


def exchange(one: Path, other: Path) -> None:
    """Let two names change places at once; raises OSError, and StateUnavailable where nothing can do that."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":
        failed = library.renamex_np(first, second, EXCHANGE)
    else:
        failed = library.renameat2(AT_FDCWD, first, AT_FDCWD, second, EXCHANGE)
    if failed:
        number = ctypes.get_errno()
        if number in CANNOT:
            hint = "dsmilctl backup restore NAME --to DIR, and put its archive into place by hand"
            message = f"the file system of {other} cannot exchange two folders in one step"
            raise StateUnavailable(message, hint=hint, target=str(other))
        raise OSError(number, os.strerror(number), str(other))
