"""Command: a key binding that also knows what it does, and the command line that does the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True)
class Command(Binding):
    """A binding of the dashboard.

    `summary` is a sentence for the palette and the help.  `twin` is the command line that does the same,
    with places such as `{device}`; it is empty for what exists only on the screen.  `impact` is `screen`
    (nothing leaves the screen), `read`, `write` or `danger`, as the commands are tagged.  The footer always
    has room for the `pinned` ones.
    """

    summary: str = ""
    twin: str = ""
    impact: str = "screen"
    pinned: bool = False


class Places(dict[str, str]):
    """Values for the places of a twin; one that is not known is shown as its name in capitals."""

    def __missing__(self, place: str) -> str:
        return place.upper()


def twin_of(command: Command, places: Mapping[str, str]) -> str:
    """The command line that does the same, quoted for a shell; empty when there is none."""
    quoted = Places({name: shlex.quote(value) for name, value in places.items() if value})
    return command.twin.format_map(quoted)
