"""Footer: the keys of this screen, and the stop, which is on every screen and in every dialog."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from dsmilctl.tui.command import Command
from dsmilctl.tui.widgets.line import Line, Part

KEY_NAMES = {
    "comma": ",",
    "full_stop": ".",
    "slash": "/",
    "question_mark": "?",
    "colon": ":",
    "plus": "+",
    "minus": "-",
    "escape": "esc",
    "space": "space",
    "equals_sign": "=",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}


Keys = Sequence[tuple[Command, str]]
"""Commands, each with the action that a click on its key runs."""


class Footer(Line):
    """The last line of every screen."""

    def show_keys(self, keys: Keys, width: int) -> None:
        """Show as many keys as there is room for; the pinned ones and the stop are never left out."""
        shown = [(command, action) for command, action in keys if command.show and command.key]
        stop = stop_parts(width)
        pinned = pinned_parts([pair for pair in shown if pair[0].pinned], width - width_of(stop) - 1)
        room = width - width_of(pinned) - width_of(stop) - 2
        parts: list[Part] = [Part(" ")]
        for command, action in shown:
            pair = key_parts(command, action)
            if command.pinned:
                continue
            if width_of(pair) > room:
                break
            parts += pair
            room -= width_of(pair)
        self.show(parts, [*pinned, *stop])


def key_parts(command: Command, action: str) -> list[Part]:
    """A key and what it does."""
    return [Part(key_name(command.key), "key", action), Part(f" {command.description}  ", "dim")]


def pinned_parts(keys: Keys, room: int) -> list[Part]:
    """The keys that lead to all the others: in words, or without, where half a line is not to be spared."""
    long = [part for command, action in keys for part in key_parts(command, action)]
    if width_of(long) * 2 <= room:
        return long
    short = [
        part for command, action in keys for part in (Part(key_name(command.key), "key", action), Part(" "))
    ]
    return short if width_of(short) <= room else []


def width_of(parts: Sequence[Part]) -> int:
    """The cells that the parts need."""
    return sum(cell_len(part.text) for part in parts)


def stop_parts(width: int) -> list[Part]:
    """The stop, shorter where there is little room; it is never left out."""
    if width >= 70:
        text = " ■ STOP EVERYTHING  ctrl+x "
    elif width >= 34:
        text = " ■ STOP ALL  ctrl+x "
    else:
        text = "■ STOP ctrl+x"
    return [Part(text, "stop", "app.stop_everything")]


def key_name(keys: str) -> str:
    """The first of the keys, as a person calls it."""
    key = keys.split(",", maxsplit=1)[0]
    return KEY_NAMES.get(key, key)
