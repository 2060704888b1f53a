"""Nursery: a process with every module loaded that forks one off for each command line.

Five sixths of a short command are Python's start and the loading of modules, and the tests run thousands.
In a process from here nothing has run before; it has its own environment, folder, streams and end.  What asks
for one is in `forked`; with the variable FRESH_PROCESSES nothing does, and every process is a new one.

It is a program: `python nursery.py DESCRIPTOR` takes requests from a socket until that is closed.  A request
is a pickled `Request` with stdin, stdout, stderr and a socket that is told the number of the process and, at
its end, its status.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import os
import pickle
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

LIBRARIES = (
    "argon2", "bcrypt", "concurrent.futures.thread", "cryptography.x509", "duckdb", "jwt", "logging.handlers",
    "multiprocessing.connection", "numpy", "pyarrow.compute", "pyarrow.parquet", "pydantic_settings",
    "starlette.applications", "uvicorn.server", "zstandard",
)  # fmt: skip
"""What functions load of others: what modules of ours load comes with them."""

OTHERS = ("dsmilctl.__main__", "dsmilctl.testing", "dsmilctl.tui")
"""What is not loaded: the program itself, and what commands seldom or never need."""

LONGEST = 100_000
"""Bytes of a request: one message of a socket holds no more than about twice that."""


class Request(NamedTuple):
    """A command line, and the folder and environment to run it in."""

    arguments: list[bytes]
    folder: str
    environment: dict[str, str]


def serve(requests: socket.socket) -> None:
    """Fork a process for each request and tell how it ended; when nobody can ask any more, end them all."""
    selector = selectors.DefaultSelector()
    selector.register(requests, selectors.EVENT_READ)
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for key, _ in selector.select():
            if key.fileobj is not requests:
                selector.unregister(key.fd)
                _tell_the_end(key.fd, *running.pop(key.fd))
            elif begun := _begin(requests):
                running[begun[0]] = begun[1:]
                selector.register(begun[0], selectors.EVENT_READ)
            else:
                for process, _ in running.values():
                    os.kill(process, signal.SIGKILL)
                return


def _begin(requests: socket.socket) -> tuple[int, int, socket.socket] | None:
    """The next request's process: a descriptor that tells of its end, its number and who wants to know."""
    message, descriptors, _, _ = socket.recv_fds(requests, 2 * LONGEST, 4)
    if not message:
        return None
    *streams, answer = descriptors
    process = os.fork()
    if not process:
        try:
            _become(Request(*pickle.loads(message)), streams)
        except BaseException:  # as Python itself does with what nobody caught
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(1)
    for stream in streams:
        os.close(stream)
    told = socket.socket(fileno=answer)
    told.sendall(process.to_bytes(8, "little", signed=True))
    return os.pidfd_open(process), process, told


def _tell_the_end(descriptor: int, process: int, told: socket.socket) -> None:
    os.close(descriptor)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with told, suppress(BrokenPipeError):
        told.sendall(status.to_bytes(8, "little", signed=True))


def _become(request: Request, streams: list[int]) -> None:
    """Be a new process that runs `python -m dsmilctl`, which ends it."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 1024)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    sys.path[0] = request.folder
    sys.stdin = _opened(0, "r", sys.stdin)
    sys.stdout = _opened(1, "w", sys.stdout)
    sys.stderr = _opened(2, "w", sys.stderr)
    sys.argv = ["dsmilctl", *map(os.fsdecode, request.arguments)]
    runpy.run_module("dsmilctl", run_name="__main__", alter_sys=True)


def _opened(number: int, mode: str, like: Any) -> io.TextIOWrapper:
    """A standard stream as Python opens it when it starts."""
    raw = open(number, f"{mode}b", closefd=False)  # noqa: SIM115 - it lives as long as the process
    return io.TextIOWrapper(
        raw, encoding=like.encoding, errors=like.errors, line_buffering=number == 2 or os.isatty(number)
    )


def load() -> None:
    """Load what commands load."""
    for name in (*LIBRARIES, *ours("dsmilctl")):
        with suppress(ImportError):  # then the command says so, too
            importlib.import_module(name)


def ours(package: str) -> Iterator[str]:
    """The modules of a package, but for OTHERS."""
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        if module.name not in OTHERS:
            yield module.name
            if module.ispkg:
                yield from ours(module.name)


def main() -> None:
    """Load everything and serve."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with socket.socket(fileno=int(sys.argv[1])) as requests, suppress(KeyboardInterrupt):
        load()
        threads = list(Path("/proc/self/task").iterdir())
        assert len(threads) == 1, f"a library has started {len(threads) - 1} threads"
        gc.collect()
        gc.freeze()
        serve(requests)
    atexit._run_exitfuncs()
    os._exit(0)  # nothing of the libraries is taken apart


if __name__ == "__main__":
    main()
