"""The command `dsmilctl`: which noun lives in which module.  What needs no parsing is answered here."""

from __future__ import annotations

import os
import sys

from dsmilctl import __version__
from dsmilctl.stdout import CLOSED_PIPE, abandon, flush, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

NOUNS = {
    "device": ("device", "list, read, write and control devices"),
    "bulk": ("bulk", "read or change many devices at once, with a plan and an undo"),
    "stream": ("stream", "follow readings and events"),
    "record": ("record", "keep what the fleet does, query it, export it, prove it"),
    "backup": ("backup", "copies of the archive: create, verify, restore, prune, schedule"),
    "emergency": ("emergency", "stop everything, see what is stopped, release it"),
    "context": ("context", "what dsmilctl talks to: this machine, the simulator, a fleet, a server"),
    "auth": ("auth", "log in to the server of a context, log out, see who one is"),
    "system": ("system", "status, capabilities and health of the context"),
    "driver": ("driver", "the installed drivers: what they can do, and switching them off"),
    "approval": ("approval", "the consent of a second person: ask, list, approve, reject"),
    "audit": ("audit", "the journal of every change: show, verify, export"),
    "sim": ("sim", "the simulated devices"),
    "serve": ("serve", "a gateway: this fleet over the DSMIL API"),
    "user": ("user", "who may come in to a server"),
    "config": ("config", "settings: where each one comes from, change, validate"),
    "doctor": ("doctor", "check this installation and say what to mend"),
    "completion": ("completion", "completion scripts for bash, zsh and fish"),
    "tui": ("tui", "the dashboard"),
    "demo": ("demo", "a tour of everything in a throw-away folder"),
}
"""Noun → (module of dsmilctl.commands, what it is about), in the order of the help page."""

GLOBAL_OPTIONS = (
    ("-C, --context NAME", "the context to work on (default: see `context list`)"),
    ("-o FORMAT", "table, wide, json, ndjson, csv or plain; --json is -o json"),
    ("--fields A,B", "only these fields, in this order"),
    ("--jq EXPRESSION", "a jq program over the JSON document"),
    ("--read-only", "let no change through"),
    ("--timeout DURATION", "for one attempt on one device: 500ms, 2s"),
    ("--deadline DURATION", "for the whole command"),
    ("--retry N", "how often a failed read is tried again"),
    ("--progress MODE", "auto, json or none"),
    ("-v, -vv", "log to stderr: what happens, every detail"),
    ("--log-file FILE", "log to a file; --log-format text or json"),
    ("--debug", "tracebacks, and the log of every detail"),
    ("--version", "the version"),
    ("-h, --help", "help on dsmilctl, a noun or a verb"),
)


INTERRUPTED = 130
"""The exit status after Ctrl+C: 128 + SIGINT."""

GARBAGE = 100_000
"""Objects after which Python looks for garbage: more than a short command ever makes."""

GRACE = 2.0
"""Seconds that a thread may go on after a command has ended."""


def main() -> int:
    """Run the command line; the exit status."""
    arguments = sys.argv[1:]
    try:
        if arguments in (["--version"], ["-V"]):
            return _print(version_line())
        if arguments in ([], ["--help"], ["-h"], ["help"]):
            return _print(root_help())
        if arguments[0] == "help":
            arguments = [*arguments[1:], "--help"]
        from dsmilctl.commands.runner import run_command_line

        return run_command_line(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


def program() -> NoReturn:
    """The program: runs the command line and ends the process at once.

    Collecting garbage while modules load and taking everything apart at the end would take a quarter of the
    time of a short command.
    """
    import gc

    gc.set_threshold(GARBAGE)
    leave(main())


def leave(status: int) -> NoReturn:
    """End the process without taking it apart: what asked to be called at the end is called.

    Threads that are still at work get GRACE seconds, so that one that hangs in a driver hangs nothing else.
    """
    import atexit

    if "threading" in sys.modules:
        _let_threads_end()
    atexit._run_exitfuncs()
    try:
        flush()
    except OSError:
        status = status or 1
    os._exit(status)


def _let_threads_end() -> None:
    import threading

    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(GRACE)


def version_line() -> str:
    """What `--version` prints."""
    return f"dsmilctl {__version__}\n"


def root_help() -> str:
    """The help page of the root command."""
    lines = ["Usage: dsmilctl [OPTIONS] NOUN VERB [TARGETS] [OPTIONS]", ""]
    lines += ["See, steer and stop a fleet of register-mapped devices.", "", "Nouns:"]
    lines += [f"  {noun:<12}{summary}" for noun, (_, summary) in NOUNS.items()]
    lines += ["", "Global options, before or after the noun:"]
    lines += [f"  {option:<22}{summary}" for option, summary in GLOBAL_OPTIONS]
    lines += ["", "Examples:"]
    lines += ["  dsmilctl -C local device list"]
    lines += ["  dsmilctl -C sim bulk read @all TEMP -o json"]
    lines += ["  dsmilctl -C sim emergency stop"]
    lines += ["", "`dsmilctl NOUN --help` tells the verbs, `man dsmilctl` the rest."]
    return "\n".join(lines) + "\n"


def _print(text: str) -> int:
    try:
        write(text)
        flush()
    except BrokenPipeError:
        abandon()
        return CLOSED_PIPE
    return 0
