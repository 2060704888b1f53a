"""Nouns: what the command line is made of: nouns with their verbs, and who carries each one out."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from dsmilctl.cli import NOUNS

Function = TypeVar("Function", bound=Callable[..., None])


class Verb(NamedTuple):
    """One verb of a noun: its function, its impact (read, write or danger) and its usage, where special.

    `never_refused` is a verb that has to work whatever is read-only: the emergency stop.  `takes_program` is
    one for which everything behind `--` is another program's line: it gets that as its option `--program`.
    `makes` is one that changes no device and yet leaves something behind: a recording, a backup, a file.
    """

    name: str
    function: Callable[..., None]
    impact: str
    usage: str = ""
    never_refused: bool = False
    takes_program: bool = False
    makes: bool = False

    @property
    def harmless(self) -> bool:
        """Whether nothing is different after it."""
        return self.impact == "read" and not self.makes

    @property
    def deed(self) -> str:
        """What its pages say of its impact: `makes` where it makes something, else the impact."""
        return "makes" if self.makes else self.impact

    @property
    def text(self) -> str:
        """The docstring without its examples."""
        return "\n".join(line for line in self._lines() if not line.startswith("Example: ")).strip()

    @property
    def summary(self) -> str:
        """The first sentence, for lists of commands."""
        return self.text.partition("\n")[0].rstrip(".")

    @property
    def examples(self) -> list[str]:
        """The example command lines."""
        lines = (line.strip() for line in self._lines())
        return [line.removeprefix("Example: ") for line in lines if line.startswith("Example: ")]

    def _lines(self) -> list[str]:
        import inspect

        return (inspect.getdoc(self.function) or "").splitlines()


class Noun:
    """A noun and its verbs.  A noun with one nameless verb is that command itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.summary = NOUNS[name][1]
        self.verbs: dict[str, Verb] = {}

    def command(
        self,
        name: str = "",
        *,
        impact: str,
        usage: str = "",
        never_refused: bool = False,
        takes_program: bool = False,
        makes: bool = False,
    ) -> Callable[[Function], Function]:
        """Make a function a verb; without a name the function's own."""

        def register(function: Function) -> Function:
            chosen = name or function.__name__.rstrip("_").replace("_", "-")
            self.verbs[chosen] = Verb(chosen, function, impact, usage, never_refused, takes_program, makes)
            return function

        return register

    def alone(self, *, impact: str) -> Callable[[Function], Function]:
        """Make a function the whole command: a noun without verbs."""

        def register(function: Function) -> Function:
            self.verbs[""] = Verb("", function, impact)
            return function

        return register


def noun(name: str) -> Noun:
    """The noun of that name, with its module loaded."""
    module = importlib.import_module(f"dsmilctl.commands.{NOUNS[name][0]}")
    found: Noun = module.app
    return found


def nouns() -> Iterator[Noun]:
    """Every noun, in the order of the help page."""
    return map(noun, NOUNS)
