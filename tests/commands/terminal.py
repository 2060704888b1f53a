"""Terminal: a command on a real pseudo-terminal, with a person who reads and types."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from types import TracebackType
from typing import Self

from tests.commands.shell import NONE, PATIENCE, PROGRAM, Shell, Variables

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command whose stdin, stdout and stderr are one terminal of a given size."""

    def __init__(
        self,
        shell: Shell,
        *arguments: str,
        columns: int = 100,
        rows: int = 30,
        environment: Variables = NONE,
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._process = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=shell.home,
            env={**shell.environment, **environment},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - ctrl+c goes to whom the terminal belongs to
        )
        os.close(theirs)
        self.raw = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._ours)

    @property
    def seen(self) -> str:
        """What stood on the terminal so far, without the escapes that painted it."""
        return _ESCAPES.sub("", self.raw).replace("\r\n", "\n").replace("\r", "\n")

    def waits_for(self, text: str) -> None:
        """Read until a text is seen."""
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert self._read(end), f"{text!r} was never seen, but: {self.seen}"

    def waits_for_raw(self, text: str, count: int) -> None:
        """Read until a text, escapes and all, has come so many times."""
        end = time.monotonic() + PATIENCE
        while self.raw.count(text) < count:
            assert self._read(end), f"{text!r} did not come {count} times, but: {self.raw!r}"

    def types(self, text: str) -> None:
        """Type a text."""
        os.write(self._ours, text.encode())

    def send(self, number: signal.Signals) -> None:
        """Send the command a signal."""
        self._process.send_signal(number)

    def ends(self) -> int:
        """Read to the end; the exit status."""
        end = time.monotonic() + PATIENCE
        while self._read(end):
            pass
        return self._process.wait(PATIENCE)

    def _read(self, end: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"nothing came in {PATIENCE} s after: {self.seen}"
        try:
            content = os.read(self._ours, 65536)
        except OSError:  # EIO: the other end was closed
            content = b""
        self.raw += content.decode("utf-8", "backslashreplace")
        return bool(content)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
