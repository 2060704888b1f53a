"""Zsh: the completion function, written from the command tree as `_arguments` specifications."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from dsmilctl.reference.tree import FILTERS, Argument, Command, Noun, Option, Tree

_ACTIONS = {
    "devices": " _dsmilctl_selector",
    "registers": " _dsmilctl_words registers",
    "contexts": " _dsmilctl_words contexts",
    "drivers": " _dsmilctl_words drivers",
    "files": "_files",
    "folders": "_directories",
}


def zsh_script(tree: Tree) -> str:
    """The whole script: a function per noun and per command, behind the code that they share."""
    code = files("dsmilctl.reference").joinpath("completion.zsh").read_text(encoding="utf-8")
    return code.replace("# @TABLES@\n", "\n".join(_functions(tree)) + "\n")


def _functions(tree: Tree) -> Iterable[str]:
    yield f"_dsmilctl_filters=({' '.join(FILTERS)})\n"
    yield "_dsmilctl_globals=("
    yield from (f"  {spec}" for option in tree.options for spec in _option(option))
    yield ")\n"
    yield from _list("_dsmilctl_at_nouns", ((noun.name, noun.summary) for noun in tree.nouns))
    for noun in tree.nouns:
        yield from _noun(noun)


def _noun(noun: Noun) -> Iterable[str]:
    if not noun.verbs:
        yield from _command(f"_dsmilctl_at_{noun.name}", noun.commands[0])
        return
    yield from _list(f"_dsmilctl_at_{noun.name}_verbs", ((verb.path[1], verb.summary) for verb in noun.verbs))
    yield f"_dsmilctl_at_{noun.name}() {{ _dsmilctl_level {noun.name} }}\n"
    for verb in noun.verbs:
        yield from _command(f"_dsmilctl_at_{'_'.join(verb.path)}", verb)


def _command(name: str, command: Command) -> Iterable[str]:
    yield f"{name}() {{\n  _arguments -S : $_dsmilctl_globals \\"
    specs = [spec for option in command.options for spec in _option(option)]
    specs += [_argument(position, argument) for position, argument in enumerate(command.arguments, 1)]
    yield " \\\n".join(f"    {spec}" for spec in specs) if specs else "    "
    yield "}\n"


def _list(name: str, words: Iterable[tuple[str, str]]) -> Iterable[str]:
    yield f"{name}() {{\n  local -a found=("
    yield from (f"    {_quoted(f'{word}:{meaning}')}" for word, meaning in words)
    yield f"  )\n  _describe -t {name[1:]} {name.rsplit('_', 1)[1][:-1]} found\n}}\n"


def _option(option: Option) -> Iterable[str]:
    """A specification per name; the names of one option exclude each other unless it may be repeated."""
    names = option.all_names
    before = "*" if option.repeated else f"({' '.join(names)})" if len(names) > 1 else ""
    for name in names:
        value = ""
        if option.metavar:
            value = f"{':' if option.optional else ''}:{_plain(option.metavar.lower())}:{_action(option)}"
        sign = "" if not option.metavar else "=" if name.startswith("--") else "+"
        yield _quoted(f"{before}{name}{sign}[{_plain(option.help)}]{value}")


def _argument(position: int, argument: Argument) -> str:
    place = "*" if argument.repeated else f"{position}{'' if argument.required else ':'}"
    return _quoted(f"{place}:{_plain(argument.metavar.lower())}:{_action(argument)}")


def _action(place: Option | Argument) -> str:
    if place.choices:
        return f"({' '.join(place.choices)})"
    return _ACTIONS.get(place.kind, "")


def _plain(text: str) -> str:
    """Text without the characters that `_arguments` reads as its own."""
    for character in "\\[]:":
        text = text.replace(character, f"\\{character}")
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
