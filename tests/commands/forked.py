"""Forked: a command in a process that a nursery has forked off."""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress

from tests.commands import nursery

NEEDED_ANEW = ("COVERAGE", "LANG", "LC_", "LD_", "PYTHON")
"""Variables that are looked at when a process starts, so that one forked later cannot follow them."""

PIPE_HOLDS = 65_536
"""Bytes of stdin that can be written before anybody reads.  Source: pipe(7)."""

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Libraries would start more while they are loaded, and a forked process has one."""


class Forked:
    """A process that was forked off, as `subprocess.Popen` would show it."""

    def __init__(self, told: socket.socket, out: int, err: int) -> None:
        self.stdout = os.fdopen(out, "rb")
        self.stderr = os.fdopen(err, "rb")
        self.returncode: int | None = None
        self._told = told
        self._number = _number_from(told)

    def poll(self) -> int | None:
        """How it ended; None while it goes on."""
        with suppress(BlockingIOError):
            self._wait(0)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self._number, number)

    def communicate(self, timeout: float) -> tuple[bytes, bytes]:
        """What it says until it ends; nothing more when that was asked before.

        Raises:
            subprocess.TimeoutExpired: it did not end in so many seconds, and was killed.
        """
        if self.stdout.closed:
            return b"", b""
        with self.stdout, self.stderr, ThreadPoolExecutor(2) as readers:
            out, err = readers.submit(self.stdout.read), readers.submit(self.stderr.read)
            late = wait([out, err], timeout).not_done
            if late:
                self.send_signal(signal.SIGKILL)
            self._wait(timeout)
        if late:
            raise subprocess.TimeoutExpired("a forked dsmilctl", timeout, out.result(), err.result())
        return out.result(), err.result()

    def _wait(self, timeout: float) -> None:
        if self.returncode is None:
            self._told.settimeout(timeout)
            self.returncode = _number_from(self._told)
            self._told.close()


class Nursery:
    """The nursery of this process, which ends with it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._variables = _needed_anew(environment)
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, nursery.__file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**environment, **ONE_THREAD},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self._close)

    def takes(self, arguments: list[bytes], environment: Mapping[str, str], stdin: bytes) -> bool:
        """Whether a process with these can be forked, and is as one of its own would be."""
        size = sum(map(len, arguments)) + sum(len(name) + len(value) for name, value in environment.items())
        fits = size < nursery.LONGEST and len(stdin) <= PIPE_HOLDS
        return fits and _needed_anew(environment) == self._variables

    def begin(
        self, arguments: list[bytes], folder: str, environment: Mapping[str, str], stdin: bytes = b""
    ) -> Forked:
        """Begin to run dsmilctl, in a folder and with all of stdin."""
        (given, typed), (out, printed), (err, complained) = (os.pipe() for _ in range(3))
        os.write(typed, stdin)
        told, theirs = socket.socketpair()
        with theirs:
            handed = [given, printed, complained, theirs.fileno()]
            request = pickle.dumps((arguments, folder, dict(environment)))
            socket.send_fds(self._requests, [request], handed)
        for descriptor in (typed, *handed[:3]):
            os.close(descriptor)
        return Forked(told, out, err)

    def _close(self) -> None:
        self._requests.close()
        self._process.wait()


def _number_from(told: socket.socket) -> int:
    message = told.recv(8)
    assert message, "the nursery has ended before this process"
    return int.from_bytes(message, "little", signed=True)


def _needed_anew(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(NEEDED_ANEW)}
