"""Files that survive a power cut: private folders, durable atomic writing, and a lock between processes."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import sys
import time
from pathlib import Path
from types import TracebackType

from dsmilctl.errors import StateUnavailable

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_TEMPORARY = (".", ".tmp")
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""What a file system answers that cannot sync a folder."""
_BUSY = (errno.EAGAIN, errno.EACCES)


def write_durably(path: Path, content: bytes) -> None:
    """Replace the file's content at once and for good: whoever looks sees the old content or the new.

    The file is 0600 from its first moment, missing parent folders become 0700, and file and folder are
    synced before this returns.  Raises OSError; nothing of `path` has changed then.
    """
    private_folder(path.parent)
    temporary = path.parent / f"{_TEMPORARY[0]}{path.name}.{os.getpid()}-{os.urandom(4).hex()}{_TEMPORARY[1]}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        try:
            write_all(descriptor, content)
            sync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)  # noqa: PTH105 - the same as Path.replace, which costs twice the time
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def is_temporary(name: str) -> bool:
    """Whether a file of this name is what a killed `write_durably` left behind."""
    return name.startswith(_TEMPORARY[0]) and name.endswith(_TEMPORARY[1])


def plain_name(text: str) -> str:
    """The text as a file name: as it is where that is harmless, else its hash."""
    if _PLAIN.fullmatch(text):
        return text
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def write_all(descriptor: int, content: bytes) -> None:
    """Write every byte, however many calls the kernel needs for it."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def sync(descriptor: int) -> None:
    """Return when the content is on the medium.  Source: fsync(2), on macOS F_FULLFSYNC of fcntl(2)."""
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(descriptor)


def sync_folder(folder: Path) -> None:
    """Return when the folder's list of names is on the medium, where the file system can do that."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def private_folder(folder: Path) -> None:
    """Make the folder and whatever is missing above it, each 0700; one that is there stays as it is."""
    if folder.is_dir():
        return
    private_folder(folder.parent)
    try:
        folder.mkdir(PRIVATE_FOLDER)
    except FileExistsError:
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
        return
    sync_folder(folder.parent)


class FileLock:
    """Holds an advisory lock (flock) on a file between processes and threads; the file stays when it ends.

    `timeout` is in seconds.  Entering raises StateUnavailable, which names the file and the process that
    holds it where that is known, or says why the file cannot be opened.
    """

    def __init__(self, path: Path, timeout: float = 5.0) -> None:
        self.path = path
        self.timeout = timeout
        self.descriptor = -1

    def __enter__(self) -> FileLock:
        try:
            self.descriptor = self._open()
        except OSError as error:
            raise unavailable(f"lock {self.path} cannot be opened", error, self.path) from error
        try:
            self._acquire()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self.path, flags, PRIVATE_FILE)
        except FileNotFoundError:
            private_folder(self.path.parent)
            return os.open(self.path, flags, PRIVATE_FILE)

    def _acquire(self) -> None:
        deadline = time.monotonic() + self.timeout
        pause = 0.0005
        while not self._try():
            left = deadline - time.monotonic()
            if left <= 0:
                holder = lock_holder(self.descriptor)
                by = f" by process {holder}" if holder else ""
                raise StateUnavailable(
                    f"{self.path} has been locked{by} for more than {self.timeout:g} s",
                    hint=f"wait for process {holder} or end it"
                    if holder
                    else "wait for the process that holds it",
                    target=str(self.path),
                )
            time.sleep(min(pause, left))
            pause = min(pause * 2, 0.02)

    def _try(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _BUSY:
                return False
            raise unavailable(f"{self.path} cannot be locked", error, self.path) from error
        return True

    def _close(self) -> None:
        os.close(self.descriptor)
        self.descriptor = -1


def lock_holder(descriptor: int) -> int:
    """The id of the process that holds a flock on the file, 0 if unknown.  Source: proc_locks(5)."""
    inode = os.fstat(descriptor).st_ino
    try:
        table = Path("/proc/locks").read_text()
    except OSError:
        return 0
    for line in table.splitlines():
        # 1: FLOCK  ADVISORY  WRITE 1234 08:02:5678 0 EOF
        words = line.split()
        if words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
            return max(0, int(words[4]))
    return 0


_HINTS = {
    errno.ENOSPC: "free some space on that disk",
    errno.EDQUOT: "free some of your disk quota",
    errno.EROFS: "the disk is mounted read-only; look at the kernel's messages",
    errno.EACCES: "give your user the right to write there",
    errno.EPERM: "give your user the right to write there",
    errno.ENOTDIR: "a part of that path is a file; move it away",
    errno.EIO: "the disk reports an error; look at the kernel's messages",
}


def unavailable(what: str, error: OSError, path: Path) -> StateUnavailable:
    """The refusal for a state file that the system does not let us use, with a hint for what went wrong."""
    hint = _HINTS.get(error.errno or 0, "dsmilctl doctor")
    return StateUnavailable(f"{what}: {error.strerror or error}", hint=hint, target=str(path))
