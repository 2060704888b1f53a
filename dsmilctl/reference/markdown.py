"""Markdown: the CLI reference, `docs/cli.md`, written from the command tree."""

from __future__ import annotations

from collections.abc import Iterable

from dsmilctl.reference import facts
from dsmilctl.reference.man import IMPACTS
from dsmilctl.reference.tree import Argument, Command, Noun, Option, Tree


def cli_reference(tree: Tree) -> str:
    """The whole reference."""
    return "\n".join(_lines(tree)) + "\n"


def _lines(tree: Tree) -> Iterable[str]:
    yield f"# {tree.program}: the command line"
    yield "\n<!-- Written from the command tree by `make docs`; do not edit. -->\n"
    yield f"`{tree.program} [global options] NOUN VERB [targets] [options]`\n"
    yield from _table(
        ("noun", "is about"), ((f"[{noun.name}](#{noun.name})", noun.summary) for noun in tree.nouns)
    )
    yield "\n## Global options\n\nThey stand before or after the noun.\n"
    yield from _table(("option", "does"), map(_option, tree.options))
    yield "\n## Selectors\n\nTerms are united by commas; filters then narrow what the other terms name.\n"
    yield from _table(("term", "names"), map(_fact, facts.SELECTORS))
    yield "\n## Exit codes\n"
    yield from _table(("code", "means"), map(_fact, facts.exit_codes()))
    yield "\n## Environment\n"
    yield from _table(("variable", "means"), map(_fact, facts.variables()))
    yield "\n## Files\n"
    yield from _table(("file", "holds"), map(_fact, facts.files()))
    for noun in tree.nouns:
        yield from _noun(tree, noun)


def _noun(tree: Tree, noun: Noun) -> Iterable[str]:
    yield f"\n## {noun.name}\n\n{noun.summary[:1].upper()}{noun.summary[1:]}."
    for command in noun.commands:
        yield from _command(tree, command)


def _command(tree: Tree, command: Command) -> Iterable[str]:
    if len(command.path) > 1:
        yield f"\n### {' '.join(command.path)}"
    yield f"\n`{usage(tree, command)}`\n\n{command.summary}. {IMPACTS[command.impact]}"
    if command.description:
        yield f"\n{command.description}"
    rows = [_argument(argument) for argument in command.arguments if argument.help]
    rows += [_option(option) for option in command.options]
    if rows:
        yield ""
        yield from _table(("argument or option", "means"), rows)
    if command.examples:
        yield "\n".join(["", "```sh", *command.examples, "```"])


def usage(tree: Tree, command: Command) -> str:
    """How a command is called, on one line."""
    words = [tree.program, *command.path]
    for argument in command.arguments:
        word = argument.metavar + ("…" if argument.repeated else "")
        words.append(word if argument.required else f"[{word}]")
    return " ".join([*words, "[options]"] if command.options else words)


def _argument(argument: Argument) -> tuple[str, str]:
    return f"`{argument.metavar}`", _meaning(argument)


def _option(option: Option) -> tuple[str, str]:
    metavar = f"[{option.metavar}]" if option.optional else option.metavar
    value = f" {metavar}" if option.metavar else ""
    return ", ".join(f"`{name}{value}`" for name in option.all_names), _meaning(option)


def _meaning(place: Option | Argument) -> str:
    words = place.help
    if any(choice not in place.help for choice in place.choices):
        words += f" ({', '.join(place.choices)})"
    if isinstance(place, Option) and place.default:
        words += f"; default {place.default}"
    if isinstance(place, Option) and place.repeated and place.metavar:
        words += "; repeatable"
    return words


def _fact(fact: facts.Fact) -> tuple[str, str]:
    name, meaning = fact
    return ", ".join(f"`{part}`" for part in name.split(", ")), meaning


def _table(heading: tuple[str, str], rows: Iterable[tuple[str, str]]) -> Iterable[str]:
    yield f"| {heading[0]} | {heading[1]} |"
    yield "|---|---|"
    yield from (
        f"| {name.replace('|', chr(92) + '|')} | {about.replace('|', chr(92) + '|')} |"
        for name, about in rows
    )
