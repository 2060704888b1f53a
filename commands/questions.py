"""Questions: asks a person before something changes, on stderr, and never where nobody is there."""

from __future__ import annotations

import asyncio
import sys

from dsmilctl import diagnostics
from dsmilctl.errors import ConfirmationRequired
from dsmilctl.inert import inert


def interactive() -> bool:
    """Whether a person can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and diagnostics.is_terminal()


def require_person(what: str, flag: str) -> None:
    """Raise ConfirmationRequired unless a person can be asked: before anything is opened."""
    if not interactive():
        message = f"{what}, and nobody is here to confirm it"
        raise ConfirmationRequired(message, hint=f"add {flag} to confirm without a terminal", target=flag)


async def confirm(question: str, *, flag: str = "--yes") -> bool:
    """Ask `[y/N]`; raises ConfirmationRequired where nobody can answer."""
    require_person(question.rstrip("?"), flag)
    diagnostics.write(f"{inert(question)} [y/N] ")
    return (await _answer()).casefold() in ("y", "yes")


async def confirm_by_name(question: str, name: str) -> bool:
    """Ask a person to type `name`; raises ConfirmationRequired where nobody can answer."""
    require_person(question.rstrip("?"), f"--confirm {name}")
    diagnostics.write(f"{inert(question)}\nType {inert(name)} to go on: ")
    return await _answer() == name


async def _answer() -> str:
    """The line that a person types; signals and devices are attended to meanwhile."""
    loop = asyncio.get_running_loop()
    typed = loop.create_future()

    def take() -> None:
        if not typed.done():
            typed.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin, take)
    try:
        line: str = await typed
    finally:
        loop.remove_reader(sys.stdin)
    if not line:
        diagnostics.say("")  # the input ended: the next line begins on its own
    return line.strip()
