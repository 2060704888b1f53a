"""Private files: made for their owner alone from the first moment, replaced whole, refused when wider."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from threading import get_ident

from dsmilctl.errors import ConfigError

WIDER = 0o077
"""The permission bits that a private file or folder must not have."""

NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""What a file system answers that cannot sync a folder."""


def make_folders(folder: Path) -> None:
    """Make a folder, and those above it that are not there, of mode 0700; raises OSError.

    Path.mkdir would leave those above it open to others.
    """
    for place in (*reversed(folder.parents), folder):
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)


def private_folder(folder: Path) -> Path:
    """Make a folder of mode 0700, or check that the one there is ours alone; raises ConfigError."""
    try:
        make_folders(folder.parent)
        with suppress(FileExistsError):  # whatever is there is judged next
            folder.mkdir(mode=0o700)
        check_private(folder, folder.lstat())
    except OSError as error:
        raise _unusable(folder, error) from error
    return folder


def check_private(path: Path, found: os.stat_result) -> None:
    """Raise ConfigError when a file or folder is not the user's own or others may look into it."""
    kind = "folder" if stat.S_ISDIR(found.st_mode) else "file"
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        raise ConfigError(f"{path} is neither a file nor a folder", hint=f"rm {path}", target=str(path))
    if found.st_uid != os.geteuid():
        message = f"{kind} {path} belongs to user {found.st_uid}, not to you"
        raise ConfigError(message, hint=f"sudo chown -R {os.geteuid()} {path}", target=str(path))
    if found.st_mode & WIDER:
        mode = "700" if kind == "folder" else "600"
        message = f"{kind} {path} is open to others (mode {stat.S_IMODE(found.st_mode):04o})"
        raise ConfigError(message, hint=f"chmod {mode} {path}", target=str(path))


def read_private(path: Path, limit: int = 1 << 20) -> bytes | None:
    """The content of a private file, None when there is none; raises ConfigError when it is not private."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable(path, error) from error
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        check_private(path, os.fstat(descriptor))
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ConfigError(f"{path} is larger than {limit} bytes", hint=f"rm {path}", target=str(path))
    return content


def write_private(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace a private file as a whole; `durable` waits for the disk.  Raises ConfigError.

    The new file is created with mode 0600 and exclusively, so that there is no moment at which others could
    open it and no name that others could have put there before.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}")
    try:
        _create(partial, content, durable=durable)
        partial.replace(path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        _discard(partial)
        raise _unusable(path, error) from error


def _discard(partial: Path) -> None:
    with suppress(OSError):  # the error that brought us here is the one to tell
        partial.unlink(missing_ok=True)


def _create(path: Path, content: bytes, *, durable: bool) -> None:
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor, not a path
        file.write(content)
        file.flush()
        if durable:
            os.fsync(file.fileno())


def replace_file(path: Path, content: bytes) -> None:
    """Replace a configuration file as a whole; its mode stays, a link is followed.  Raises ConfigError."""
    target = Path(os.path.realpath(path))
    partial = target.with_name(f".{target.name}.{os.getpid()}.{get_ident()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create(partial, content, durable=True)
        if target.exists():
            partial.chmod(stat.S_IMODE(target.stat().st_mode))
        partial.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        _discard(partial)
        raise _unusable(path, error) from error


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def _unusable(path: Path, error: OSError) -> ConfigError:
    hint = f"check the permissions of {path.parent} and the space left there"
    return ConfigError(f"{path}: {error.strerror or error}", hint=hint, target=str(path))
