"""Help page: what `--help` says of a noun or a verb, as text of a width."""

from __future__ import annotations

from collections.abc import Sequence

Entry = tuple[str, str]
"""A name and what it means."""

WIDEST = 100
NARROWEST = 40
WIDEST_NAME = 28
"""A longer name has its meaning on the next line."""

IMPACTS = {
    "read": "read: changes nothing",
    "makes": "read: changes no device and no setting; what it makes is kept on this machine",
    "write": "write: changes devices or settings; a change of a device is guarded and journalled",
    "danger": "danger: changes many devices or cannot be undone; guarded and journalled",
}
"""The tag of a command and what it means."""

GLOBAL_OPTIONS = "-C, -o, --fields, --jq, --read-only, --timeout and more: dsmilctl --help"


def fitting(width: int | None) -> int:
    """The width of a page for a terminal of this width, or for a pipe."""
    return min(WIDEST, max(NARROWEST, width or WIDEST))


def verb_page(
    usage: str,
    text: str,
    arguments: Sequence[Entry],
    options: Sequence[Entry],
    examples: Sequence[str],
    impact: str,
    width: int,
) -> str:
    """The page of one verb."""
    blocks = [[f"Usage: {usage}"], paragraphs(text, width)]
    names = (name for name, _ in (*arguments, *options))
    margin = max((len(name) for name in names if len(name) <= WIDEST_NAME), default=0) + 4
    blocks += [_section("Arguments", arguments, margin, width)] if arguments else []
    blocks += [_section("Options", options, margin, width)]
    if examples:
        title = "Example" if len(examples) == 1 else "Examples"
        blocks += [[f"{title}:", *(f"  {example}" for example in examples)]]
    facts = [("Impact:", IMPACTS[impact]), ("Global options:", GLOBAL_OPTIONS)]
    blocks += [_entries(facts, 16, width, indent="")]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def noun_page(name: str, summary: str, verbs: Sequence[Entry], width: int) -> str:
    """The page of a noun: its verbs, each with its first sentence."""
    margin = max(len(verb) for verb, _ in verbs) + 4
    blocks = [
        [f"Usage: dsmilctl {name} VERB [TARGETS] [OPTIONS]"],
        paragraphs(f"{summary[0].upper()}{summary[1:]}.", width),
        _section("Verbs", verbs, margin, width),
        [f"`dsmilctl {name} VERB --help` tells options and examples, `dsmilctl --help` the global options."],
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def paragraphs(text: str, width: int) -> list[str]:
    """The lines of a text, every paragraph filled anew."""
    import textwrap

    filled = [textwrap.wrap(" ".join(part.split()), width) for part in text.split("\n\n")]
    return "\n\n".join("\n".join(lines) for lines in filled).split("\n")


def _section(title: str, entries: Sequence[Entry], margin: int, width: int) -> list[str]:
    return [f"{title}:", *_entries(entries, margin, width)]


def _entries(entries: Sequence[Entry], margin: int, width: int, indent: str = "  ") -> list[str]:
    import textwrap

    lines = []
    for name, meaning in entries:
        head = f"{indent}{name}"
        told = textwrap.wrap(meaning, max(20, width - margin)) or [""]
        if len(head) >= margin:
            lines += [head, *(" " * margin + line for line in told)]
        else:
            lines += [head.ljust(margin) + told[0], *(" " * margin + line for line in told[1:])]
    return [line.rstrip() for line in lines]
