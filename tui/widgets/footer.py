"""Footer: the keys of this screen, and the stop, which is on every screen and in every dialog."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from dsmilctl.tui.command import Command
from dsmilctl.tui.widgets.line import Line, Part

KEY_NAMES = {
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


class Footer(Line):
    """The last line of every screen."""

    def show_keys(self, keys: Sequence[tuple[Command, str]], width: int) -> None:
        """Show as many keys as there is room for, each with the action of a click, and the stop."""
        stop = stop_parts(width)
        room = width - sum(cell_len(part.text) for part in stop)
        parts: list[Part] = [Part(" ")]
        room -= 1
        for command, action in keys:
            if not command.show or not command.key:
                continue
            pair = [
                Part(key_name(command.key), "key", action),
                Part(f" {command.description}  ", "dim"),
            ]
            needed = sum(cell_len(part.text) for part in pair)
            if needed > room:
                break
            parts += pair
            room -= needed
        self.show(parts, stop)


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
