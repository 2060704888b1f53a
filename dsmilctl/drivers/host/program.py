"""Program: runs another program of this machine for what it prints."""

from __future__ import annotations

from dsmilctl.drivers.host.machine import printable

DEADLINE = 20.0
"""Seconds that a program may take."""


def installed(program: str) -> bool:
    """Whether a program is on the search path, or where its path says."""
    from shutil import which

    return which(program) is not None


def run(command: list[str]) -> str:
    """What a program prints; raises OSError when it cannot be run, fails, or takes too long."""
    import subprocess

    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=DEADLINE, check=False
        )
    except subprocess.TimeoutExpired:
        raise OSError(0, f"{command[0]} took longer than {DEADLINE:g} s") from None
    if done.returncode:
        said = printable(done.stderr.decode(errors="replace")) or "nothing"
        raise OSError(0, f"{command[0]} ended with {done.returncode} and said: {said}")
    return done.stdout.decode(errors="replace")
