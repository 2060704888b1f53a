"""Fish: the completion script, a `complete` line for each thing that may stand somewhere."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from dsmilctl.reference.tree import FILTERS, Argument, Command, Option, Tree

_ACTIONS = {
    "devices": "-x -a '(__dsmilctl_selector)'",
    "registers": "-x -a '(__dsmilctl_words registers)'",
    "contexts": "-x -a '(__dsmilctl_words contexts)'",
    "drivers": "-x -a '(__dsmilctl_words drivers)'",
    "files": "-r -F",
    "folders": "-x -a '(__fish_complete_directories)'",
}


def fish_script(tree: Tree) -> str:
    """The whole script: the code that conditions call, then the conditions."""
    code = files("dsmilctl.reference").joinpath("completion.fish").read_text(encoding="utf-8")
    return code.replace("# @TABLES@\n", "\n".join(_tables(tree)) + "\n") + "\n".join(_lines(tree)) + "\n"


def _tables(tree: Tree) -> Iterable[str]:
    nouns = [noun.name for noun in tree.nouns if noun.verbs]
    valued = _valued("", tree.options)
    for command in tree.commands:
        valued += _valued(" ".join(command.path) + " ", command.options)
    yield f"set -g __dsmilctl_nouns {' '.join(nouns)}"
    yield f"set -g __dsmilctl_filters {' '.join(FILTERS)}"
    yield f"set -g __dsmilctl_valued {' '.join(_quoted(name) for name in valued)}"


def _lines(tree: Tree) -> Iterable[str]:
    yield from (_option("", option) for option in tree.options)
    for noun in tree.nouns:
        yield f"\n{_line('__dsmilctl_at')} -a {noun.name} -d {_quoted(noun.summary)}"
        for verb in noun.verbs:
            here = _line(f"__dsmilctl_at {noun.name}")
            yield f"{here} -a {verb.path[1]} -d {_quoted(verb.summary)}"
        for command in noun.commands:
            yield from _command(command)


def _command(command: Command) -> Iterable[str]:
    path = " ".join(command.path)
    for option in command.options:
        yield _option(f"__dsmilctl_in {path}", option)
    for position, argument in enumerate(command.arguments, 1):
        action = _action(argument)
        if action:
            place = f"{position}+" if argument.repeated else str(position)
            yield f"{_line(f'__dsmilctl_place {place} {path}')} {action.removeprefix('-x ')}"


def _option(condition: str, option: Option) -> str:
    names = " ".join(
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.all_names
    )
    action = (_action(option) or "-x") if option.metavar else ""
    words = (_line(condition), names, action, f"-d {_quoted(option.help)}")
    return " ".join(word for word in words if word)


def _line(condition: str) -> str:
    return f"complete -c dsmilctl -n {_quoted(condition)}" if condition else "complete -c dsmilctl"


def _action(place: Option | Argument) -> str:
    if place.choices:
        return f"-x -a {_quoted(' '.join(place.choices))}"
    return _ACTIONS.get(place.kind, "")


def _valued(path: str, options: Iterable[Option]) -> list[str]:
    return [f"{path}{name}" for option in options if option.metavar for name in option.names]


def _quoted(text: str) -> str:
    """Text as fish takes it literally."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
