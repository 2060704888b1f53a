"""Pseudo-terminal: a program on a terminal of its own, whose keys are typed and whose bytes are counted."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class PseudoTerminal:
    """Runs a command line on a terminal of `columns` by `rows` and keeps everything that it writes."""

    def __init__(
        self, line: Sequence[str], environment: Mapping[str, str], columns: int = 120, rows: int = 40
    ) -> None:
        self.begun = time.monotonic()
        self.first_byte_at = 0.0
        self._written: list[tuple[float, bytes]] = []
        self.pid, self._master = pty.fork()
        if not self.pid:
            os.execve(line[0], list(line), dict(environment))
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._status: int | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65_536)
            except OSError:
                return  # the program closed its end
            if not data:
                return
            self._written.append((time.monotonic(), data))

    @property
    def output(self) -> bytes:
        """Everything written so far."""
        return b"".join(data for _, data in self._written)

    def count(self) -> int:
        """How many bytes were written so far."""
        return sum(len(data) for _, data in self._written)

    def type(self, keys: str | bytes) -> float:
        """Type keys; the monotonic time at which they went out."""
        now = time.monotonic()
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)
        return now

    def wait_for(self, text: str, patience: float = 20.0) -> float:
        """Wait until the text was written; the time of the write.  Raises TimeoutError."""
        wanted = text.encode()
        until = time.monotonic() + patience
        while time.monotonic() < until:
            seen = b""
            for at, data in list(self._written):
                seen = seen[-4096:] + data
                if wanted in seen:
                    return at
            time.sleep(0.005)  # another thread reads what is written, with its time
        raise TimeoutError(f"{text!r} was not written within {patience:g} s: {self.output[-600:]!r}")

    def resize(self, columns: int, rows: int) -> None:
        """Make the terminal larger or smaller."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def modes(self) -> list[object]:
        """The terminal's modes, as `termios.tcgetattr` gives them."""
        return list(termios.tcgetattr(self._master))

    def signal(self, number: int) -> None:
        """Send a signal to the program."""
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Close the terminal under the program."""
        os.close(self._master)
        self._master = -1

    def processor_seconds(self) -> float:
        """User and system time that the program has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_bytes(self) -> int:
        """Memory that the program holds."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def wait(self, patience: float = 20.0) -> int:
        """The exit status, negative for a signal; raises TimeoutError."""
        until = time.monotonic() + patience
        while self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                raise TimeoutError(f"still running after {patience:g} s: {self.output[-600:]!r}")
            else:
                time.sleep(0.01)  # there is no wait with a deadline for a process that was forked
        self._reader.join(2.0)  # what it wrote last is read behind its end
        return self._status

    def close(self) -> None:
        """End the program, if it has not ended."""
        if self._status is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                self.wait()
            except (ProcessLookupError, ChildProcessError):
                pass  # it was faster
        if self._master >= 0:
            os.close(self._master)
            self._master = -1
