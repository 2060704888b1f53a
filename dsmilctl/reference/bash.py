"""Bash: the completion script for bash 3.2 and newer, written from the command tree."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from dsmilctl.reference.tree import FILTERS, Argument, Command, Option, Tree


def bash_script(tree: Tree) -> str:
    """The whole script: the tables of this tree in front of the code that reads them."""
    code = files("dsmilctl.reference").joinpath("completion.bash").read_text(encoding="utf-8")
    return code.replace("# @TABLES@\n", "\n".join(_tables(tree)) + "\n")


def _tables(tree: Tree) -> Iterable[str]:
    yield f"__dsmilctl_nouns={_words(noun.name for noun in tree.nouns)}"
    yield f"__dsmilctl_filters={_words(FILTERS)}"
    yield from _verbs(tree)
    yield from _options(tree)
    yield from _takes(tree)
    yield from _kinds(tree)


def _verbs(tree: Tree) -> Iterable[str]:
    """A function that sets `words` to the verbs of a noun."""
    yield "\n# The verbs of a noun, nothing for a noun that is a command itself.\n__dsmilctl_verbs() {"
    yield "  case $1 in"
    for noun in tree.nouns:
        if noun.verbs:
            yield f"    {noun.name}) words={_words(command.path[1] for command in noun.verbs)} ;;"
    yield "    *) words= ;;\n  esac\n}"


def _options(tree: Tree) -> Iterable[str]:
    """A function that sets `words` to the options of a command."""
    everywhere = _words(name for option in tree.options for name in option.all_names)
    yield f"\n__dsmilctl_options() {{\n  words={everywhere}\n  case $1 in"
    for command in tree.commands:
        names = [name for option in command.options for name in option.all_names]
        if names:
            yield f'    {_path(command)}) words="$words {" ".join(names)}" ;;'
    yield "  esac\n}"


def _takes(tree: Tree) -> Iterable[str]:
    """A function that tells whether an option takes a value."""
    yield '\n# Whether an option takes a value:  COMMAND OPTION\n__dsmilctl_takes() {\n  case "$1 $2" in'
    for name in _valued(tree.options):
        yield f"    *' {name}') ;;"
    for command in tree.commands:
        names = _valued(command.options)
        if names:
            yield "    " + " | ".join(_quoted(f"{' '.join(command.path)} {name}") for name in names) + ") ;;"
    yield "    *) return 1 ;;\n  esac\n}"


def _kinds(tree: Tree) -> Iterable[str]:
    """A function that sets `kind` and `words` to what may stand in a place."""
    yield "\n# What may stand in a place:  COMMAND OPTION|POSITION; a position `+` is every further one.\n"
    yield '__dsmilctl_kind() {\n  kind=\n  case "$1 $2" in'
    for option in tree.options:
        yield from _kind(option, [f"*' {name}'" for name in option.names])
    for command in tree.commands:
        path = " ".join(command.path)
        for option in command.options:
            yield from _kind(option, [_quoted(f"{path} {name}") for name in option.names])
        for position, argument in enumerate(command.arguments, 1):
            place = "+" if argument.repeated else str(position)
            yield from _kind(argument, [_quoted(f"{path} {place}")])
    yield "  esac\n}"


def _kind(place: Option | Argument, patterns: list[str]) -> Iterable[str]:
    if isinstance(place, Argument) or place.metavar:
        words = f" words={_words(place.choices)}" if place.choices else ""
        yield f"    {' | '.join(patterns)}) kind={place.kind or 'nothing'}{words} ;;"


def _valued(options: Iterable[Option]) -> list[str]:
    return [name for option in options if option.metavar for name in option.names]


def _path(command: Command) -> str:
    return _quoted(" ".join(command.path))


def _words(words: Iterable[str]) -> str:
    return _quoted(" ".join(words))


def _quoted(text: str) -> str:
    """Text as a shell takes it literally."""
    return "'" + text.replace("'", "'\\''") + "'"
