"""Tree: every noun, verb, option and argument of the command line as plain values."""

from __future__ import annotations

import msgspec

from dsmilctl.model.device import DeviceState, Risk

FILTERS = tuple(
    f"{field}={value}"
    for field, values in (("risk", Risk), ("state", DeviceState), ("quarantined", ("True", "False")))
    for value in values
)
"""The filters of a selector whose values are known without asking a device."""


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One option.  `metavar` is empty when it takes no value, which may be left out where it is `optional`.

    `kind` is what TAB offers for its value.

    Kinds: `choices`, `devices`, `registers`, `contexts`, `drivers`, `files`, `folders`, or empty for nothing.
    """

    names: tuple[str, ...]
    negative: tuple[str, ...] = ()
    metavar: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()
    kind: str = ""
    optional: bool = False
    repeated: bool = False
    default: str = ""
    variable: str = ""

    @property
    def all_names(self) -> tuple[str, ...]:
        """The names, and those that switch it off."""
        return self.names + self.negative


class Argument(msgspec.Struct, frozen=True, kw_only=True):
    """One positional argument; `kind` as for an option."""

    metavar: str
    help: str = ""
    choices: tuple[str, ...] = ()
    kind: str = ""
    required: bool = True
    repeated: bool = False


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command that can be run: `path` is `("device", "read")`, or a noun alone."""

    path: tuple[str, ...]
    summary: str
    description: str = ""
    examples: tuple[str, ...] = ()
    impact: str = ""
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()


class Noun(msgspec.Struct, frozen=True, kw_only=True):
    """One noun with its verbs; a noun that is a command itself has exactly that one command."""

    name: str
    summary: str
    commands: tuple[Command, ...]

    @property
    def verbs(self) -> tuple[Command, ...]:
        """The commands below the noun, none when it is a command itself."""
        return tuple(command for command in self.commands if len(command.path) > 1)


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """The whole command line."""

    program: str
    version: str
    summary: str
    options: tuple[Option, ...]
    nouns: tuple[Noun, ...]

    @property
    def commands(self) -> tuple[Command, ...]:
        """Every command, in the order of the nouns."""
        return tuple(command for noun in self.nouns for command in noun.commands)
