"""Walk: the live command tree, as its grammar builds it, turned into plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsmilctl import __version__
from dsmilctl.commands import grammar, nouns
from dsmilctl.model.approval import ApprovalStatus
from dsmilctl.model.device import DeviceState, Risk
from dsmilctl.output import FORMATS
from dsmilctl.reference.tree import Argument, Command, Noun, Option, Tree

SUMMARY = "See, steer and stop a fleet of register-mapped devices."

KINDS: Mapping[str, str] = {
    "selector": "devices",
    "targets": "devices",
    "device": "devices",
    "register": "registers",
    "registers": "registers",
    "context": "contexts",
    "driver": "drivers",
    "file": "files",
    "log_file": "files",
    "folder": "folders",
    "context.name": "contexts",
    "driver.name": "drivers",
}
"""What TAB offers for a parameter, by its name or, where the name alone is not enough, its noun and name."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    "output": FORMATS,
    "progress": ("auto", "json", "none"),
    "log_format": ("text", "json"),
    "risk": tuple(Risk),
    "device.status": tuple(DeviceState),
    "approval.status": tuple(status.lower() for status in ApprovalStatus),
}
"""The words of the options whose type is free text, by their name, or by their noun and name."""

HELP = Option(names=("-h", "--help"), help="help on dsmilctl, a noun or a verb")
VERSION = Option(names=("--version",), help="the version")


def walk() -> Tree:
    """The whole command tree; loads the module of every noun."""
    everywhere = tuple(_option(parameter) for parameter in grammar.global_options())
    return Tree(
        program="dsmilctl",
        version=__version__,
        summary=SUMMARY,
        options=(*everywhere, HELP),
        nouns=tuple(_noun(noun) for noun in nouns.nouns()),
    )


def _noun(noun: nouns.Noun) -> Noun:
    commands = tuple(_command(noun, verb) for verb in noun.verbs.values())
    return Noun(name=noun.name, summary=noun.summary, commands=commands)


def _command(noun: nouns.Noun, verb: nouns.Verb) -> Command:
    parameters = [item for item in grammar.parameters(verb) if not getattr(item, "hidden", False)]
    summary, _, description = verb.text.partition("\n")
    return Command(
        path=(noun.name, verb.name) if verb.name else (noun.name,),
        summary=summary.rstrip("."),
        description=description.strip(),
        examples=tuple(verb.examples),
        impact=verb.deed,
        arguments=tuple(
            _argument(item, noun.name) for item in parameters if item.param_type_name == "argument"
        ),
        options=tuple(_option(item, noun.name) for item in parameters if item.param_type_name == "option"),
    )


def _option(parameter: Any, noun: str = "") -> Option:
    takes_value = not (parameter.is_flag or parameter.count)
    return Option(
        names=_short_first(parameter.opts),
        negative=tuple(parameter.secondary_opts),
        metavar=_metavar(parameter) if takes_value else "",
        help=_sentence(parameter.help),
        choices=_choices(parameter, noun) if takes_value else (),
        kind=_kind(parameter, noun) if takes_value else "",
        optional=str(parameter.metavar).startswith("["),
        repeated=bool(parameter.multiple or parameter.count),
        default=_default(parameter) if takes_value else "",
        variable=_variable(parameter),
    )


def _argument(parameter: Any, noun: str) -> Argument:
    return Argument(
        metavar=_metavar(parameter),
        help=_sentence(parameter.help),
        choices=_choices(parameter, noun),
        kind=_kind(parameter, noun),
        required=bool(parameter.required),
        repeated=parameter.nargs == -1,
    )


def _short_first(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: name.startswith("--")))


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name).upper().strip("[].… ")


def _choices(parameter: Any, noun: str) -> tuple[str, ...]:
    own = CHOICES.get(f"{noun}.{parameter.name}") or CHOICES.get(parameter.name, ())
    words = getattr(parameter.type, "choices", None) or own
    return tuple(str(getattr(word, "value", word)) for word in words)


def _kind(parameter: Any, noun: str) -> str:
    if _choices(parameter, noun):
        return "choices"
    return KINDS.get(f"{noun}.{parameter.name}") or KINDS.get(parameter.name, "")


def _default(parameter: Any) -> str:
    if parameter.default in (None, "", (), [], False, 0) or callable(parameter.default):
        return ""
    return str(getattr(parameter.default, "value", parameter.default))


def _variable(parameter: Any) -> str:
    named = parameter.envvar
    return named if isinstance(named, str) else " ".join(named or ())


def _sentence(help_text: str | None) -> str:
    return " ".join((help_text or "").split()).rstrip(".")
