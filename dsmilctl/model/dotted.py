"""Dotted names: `device.write`, and patterns of a whole group: `device.*`."""

from __future__ import annotations

from collections.abc import Sequence

from dsmilctl.errors import InvalidParameter, nearest

WHOLE = ".*"
"""The end of a pattern that takes in a whole group."""


def fits(pattern: str, name: str) -> bool:
    """Whether a name is the one that the pattern names, or of its group; every name fits an empty pattern."""
    if pattern.endswith(WHOLE):
        return name.startswith(pattern[:-1])
    return pattern in ("", name)


def pattern_of(text: str, known: Sequence[str], option: str) -> str:
    """The pattern that somebody means by a name, a group (`device`) or `device.*`; nothing stays nothing.

    Raises InvalidParameter, with the nearest name, for what is none of the `known` names.
    """
    folded = text.casefold()
    if not folded or folded in known:
        return folded
    groups = dict.fromkeys(name.partition(".")[0] for name in known)
    if folded.removesuffix(WHOLE) in groups:
        return f"{folded.removesuffix(WHOLE)}{WHOLE}"
    hint = nearest(text, [*known, *groups]) or f"one of {', '.join(known)}; {next(iter(groups))}.* is a group"
    raise InvalidParameter(f"{option} cannot be {text!r}", hint=hint, target=option)
