"""Stop line: an order to stop everything, understood without a parser, which costs a third of its time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

TAKE_A_VALUE = {
    "-C": "context",
    "--context": "context",
    "-o": "output",
    "--output-format": "output",
    "--reason": "reason",
    "--deadline": "deadline",
}
ONLY_BEHIND = ("reason", "deadline")
"""Options of the verb: before it they are something else, or nothing."""


class StopLine(msgspec.Struct, frozen=True, kw_only=True):
    """What a line that stops everything says; empty is not said."""

    context: str = ""
    output: str = ""
    reason: str = ""
    deadline: str = ""

    @property
    def given(self) -> dict[str, str]:
        """Its global options, as the parser would note them."""
        said = {"context": self.context, "output": self.output}
        return {name: value for name, value in said.items() if value}


def read_stop_line(arguments: Sequence[str]) -> StopLine | None:
    """The order in a line that stops everything; None for every other line, and for one that needs a parser.

    `[-C NAME] [-o FORMAT | --json] emergency stop [--reason TEXT] [--deadline DURATION]`, global options on
    either side, each once.
    """
    found: dict[str, str] = {}
    words: list[str] = []
    left = iter(arguments)
    for argument in left:
        if not argument.startswith("-"):
            words.append(argument)
            continue
        if argument == "--json":
            name, value = "output", "json"
        else:
            option, equals, value = argument.partition("=") if argument[:2] == "--" else (argument, "", "")
            name = TAKE_A_VALUE.get(option, "")
            value = value if equals else next(left, "")
        too_early = name in ONLY_BEHIND and words != ["emergency", "stop"]
        if not name or name in found or not value or value.startswith("-") or too_early:
            return None
        found[name] = value
    return StopLine(**found) if words == ["emergency", "stop"] else None
