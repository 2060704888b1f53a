"""Forked: running a command in a process that a nursery forks off."""

from __future__ import annotations

import atexit
import os
import pickle
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack

from tests.commands import nursery

NEEDED_ANEW = ("COVERAGE", "LANG", "LC_", "LD_", "PYTHON")
"""Variables that are looked at when a process starts, so that one forked later cannot follow them."""

PIPE_HOLDS = 65_536
"""Bytes of stdin that can be written before anybody reads.  Source: pipe(7)."""

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Libraries would start more while they are loaded, and a forked process has one."""


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

    def run(
        self,
        arguments: list[bytes],
        folder: str,
        environment: Mapping[str, str],
        stdin: bytes,
        timeout: float,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run dsmilctl as `subprocess.run` would.

        Raises:
            subprocess.TimeoutExpired: it did not end in so many seconds, and was killed.
        """
        deadline = time.monotonic() + timeout
        with ExitStack() as opened:
            out, err, told = self._begin(opened, (arguments, folder, dict(environment)), stdin)
            process = _number(told)
            try:
                said = _read_all([out, err], deadline)
                told.settimeout(max(0.001, deadline - time.monotonic()))
                status = _number(told)
            except TimeoutError:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired(arguments, timeout) from None
        return subprocess.CompletedProcess(arguments, status, *said)

    def _begin(
        self, opened: ExitStack, request: tuple[object, ...], stdin: bytes
    ) -> tuple[int, int, socket.socket]:
        """Ask for a process: its stdout, its stderr, and a socket that tells its number and its end."""

        def closing(descriptor: int) -> int:
            opened.callback(os.close, descriptor)
            return descriptor

        pipes = [os.pipe() for _ in range(3)]
        told, theirs = socket.socketpair()
        opened.enter_context(told)
        (given, typed), (out, printed), (err, complained) = pipes
        os.write(typed, stdin)
        os.close(typed)
        with theirs:
            handed = [given, printed, complained, theirs.fileno()]
            socket.send_fds(self._requests, [pickle.dumps(request)], handed)
        for descriptor in handed[:3]:
            os.close(descriptor)
        return closing(out), closing(err), told

    def _close(self) -> None:
        self._requests.close()
        self._process.wait()


def _read_all(descriptors: list[int], deadline: float) -> list[bytes]:
    """Read until all are at their end, or raise TimeoutError at the deadline."""
    said = dict.fromkeys(descriptors, b"")
    with selectors.DefaultSelector() as unfinished:
        for descriptor in descriptors:
            unfinished.register(descriptor, selectors.EVENT_READ)
        while unfinished.get_map():
            ready = unfinished.select(max(0.001, deadline - time.monotonic()))
            if not ready and time.monotonic() >= deadline:
                raise TimeoutError
            for key, _ in ready:
                more = os.read(key.fd, PIPE_HOLDS)
                said[key.fd] += more
                if not more:
                    unfinished.unregister(key.fd)
    return list(said.values())


def _number(told: socket.socket) -> int:
    message = told.recv(8)
    assert message, "the nursery has ended before this process"
    return int.from_bytes(message, "little", signed=True)


def _needed_anew(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(NEEDED_ANEW)}
