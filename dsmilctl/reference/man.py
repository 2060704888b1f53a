"""Man pages: one for the program and one for each noun, written in mdoc from the command tree."""

from __future__ import annotations

from collections.abc import Iterable

from dsmilctl.reference import facts
from dsmilctl.reference.mdoc import literal, plain, tagged, text, word
from dsmilctl.reference.tree import Argument, Command, Noun, Option, Tree

DATE = "November 20, 2026"
"""The date of the pages; it changes with the version, not with each build."""

IMPACTS = {
    "read": "It changes nothing.",
    "makes": "It changes no device and no setting; what it makes is kept on this machine.",
    "write": "It changes settings or devices; it is guarded and journalled.",
    "danger": "It changes many devices or cannot be undone; it is guarded and journalled.",
}


def man_pages(tree: Tree) -> dict[str, str]:
    """Every page by its file name."""
    pages = {f"{tree.program}.1": _program(tree)}
    pages |= {f"{tree.program}-{noun.name}.1": _noun(tree, noun) for noun in tree.nouns}
    return {name: "\n".join(lines) + "\n" for name, lines in pages.items()}


def _program(tree: Tree) -> list[str]:
    usage = ".Op Ar options\n.Ar noun\n.Op Ar verb\n.Op Ar targets\n.Op Ar options"
    return [
        *_heading(tree, tree.program, tree.summary),
        *[".Sh SYNOPSIS", ".Nm", *usage.splitlines()],
        ".Sh DESCRIPTION",
        *text(
            "`dsmilctl` asks the devices of a context for readings, changes them where the guard lets it, "
            "and stops them when told to. The contexts `local`, the sensors of this machine, and `sim`, a "
            "simulated fleet, need no configuration. Every change is journalled before and after."
        ),
        ".Pp",
        *text("Targets are selectors: terms united by commas, then narrowed by filters."),
        *_facts(facts.SELECTORS),
        ".Sh COMMANDS",
        *tagged((_xr(tree, noun), text(f"{_capital(noun.summary)}.")) for noun in tree.nouns),
        ".Sh OPTIONS",
        *text("The global options stand before or after the noun."),
        *tagged((_option_tag(option), _about(option)) for option in tree.options),
        *_environment(),
        *_files(),
        *_exit_status(),
        ".Sh EXAMPLES",
        *literal(command.examples[0] for command in tree.commands if command.examples),
        ".Sh SEE ALSO",
        *_see_also(tree, [noun.name for noun in tree.nouns]),
    ]


def _noun(tree: Tree, noun: Noun) -> list[str]:
    examples = [example for command in noun.commands for example in command.examples]
    return [
        *_heading(tree, f"{tree.program}-{noun.name}", noun.summary),
        ".Sh SYNOPSIS",
        *(line for command in noun.commands for line in _usage(tree, command)),
        ".Sh DESCRIPTION",
        *text(f"{_capital(noun.summary)}."),
        ".Sh COMMANDS",
        *(line for command in noun.commands for line in _command(tree, command)),
        ".Sh OPTIONS",
        *text("Every command takes the global options too:"),
        *tagged((_option_tag(option), _about(option)) for option in tree.options),
        *_environment_of(tree),
        *_exit_status(),
        *([".Sh EXAMPLES", *literal(examples)] if examples else []),
        ".Sh SEE ALSO",
        *_see_also(tree, ["", *(other.name for other in tree.nouns if other.name != noun.name)]),
    ]


def _heading(tree: Tree, name: str, summary: str) -> list[str]:
    lines = [f".Dd {DATE}", f".Dt {name.upper()} 1", f".Os dsmilctl {tree.version}"]
    return [*lines, ".Sh NAME", f".Nm {name}", f".Nd {plain(summary.rstrip('.'))}"]


def _usage(tree: Tree, command: Command) -> list[str]:
    """How a command is called, for the synopsis."""
    options = [".Op Ar options"] if command.options else []
    return [f".Nm {tree.program}", f".Cm {' '.join(map(word, command.path))}", *options, *_operands(command)]


def _operands(command: Command) -> list[str]:
    return [f".{_operand(argument)}" for argument in command.arguments]


def _operand(argument: Argument) -> str:
    operand = f"Ar {word(argument.metavar)}{' ...' if argument.repeated else ''}"
    return operand if argument.required else f"Op {operand}"


def _command(tree: Tree, command: Command) -> Iterable[str]:
    """One command: what it does, its operands and options, its impact."""
    yield f".Ss {tree.program} {plain(' '.join(command.path))}"
    yield from text(f"{command.summary}.")
    if command.description:
        yield ".Pp"
        yield from text(command.description)
    told = [(f"Ar {word(item.metavar)}", _about(item)) for item in command.arguments if item.help]
    told += [(_option_tag(option), _about(option)) for option in command.options]
    yield from tagged(told)
    yield ".Pp"
    yield from text(IMPACTS[command.impact])


def _option_tag(option: Option) -> str:
    left_out = " Op" if option.optional else ""
    value = f"{left_out} Ar {word(option.metavar)}" if option.metavar else ""
    return " , ".join(f"Fl {plain(name[1:])}{value}" for name in option.all_names)


def _about(place: Option | Argument) -> list[str]:
    words = _capital(place.help) + "."
    missing = [choice for choice in place.choices if choice not in place.help]
    if missing:
        words += f" One of {', '.join(place.choices)}."
    if isinstance(place, Option) and place.default:
        words += f" The default is {place.default}."
    if isinstance(place, Option) and place.repeated and place.metavar:
        words += " It may be repeated."
    return text(words)


def _environment() -> list[str]:
    return [".Sh ENVIRONMENT", *_facts(facts.variables(), "Ev ")]


def _environment_of(tree: Tree) -> list[str]:
    return [".Sh ENVIRONMENT", *text("Variables and files are told in"), f".Xr {tree.program} 1 ."]


def _files() -> list[str]:
    return [".Sh FILES", *_facts(facts.files(), "Pa ")]


def _exit_status() -> list[str]:
    return [".Sh EXIT STATUS", *_facts(facts.exit_codes())]


def _facts(items: Iterable[facts.Fact], macro: str = "") -> list[str]:
    return tagged((f"{macro}{_tag(name, macro)}", text(f"{_capital(about)}.")) for name, about in items)


def _tag(name: str, macro: str) -> str:
    parts = name.split(", ")
    return f" , {macro}".join(word(part) for part in parts)


def _xr(tree: Tree, noun: Noun) -> str:
    return f"Xr {tree.program}-{noun.name} 1"


def _see_also(tree: Tree, names: list[str]) -> list[str]:
    pages = sorted(f"{tree.program}-{name}".rstrip("-") for name in names)
    return [f".Xr {page} 1 ," for page in pages[:-1]] + [f".Xr {pages[-1]} 1"]


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
