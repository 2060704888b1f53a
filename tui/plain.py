"""Plain: the same screen for a terminal that cannot show UTF-8, one ASCII character per cell."""

from __future__ import annotations

import os
from collections.abc import Mapping

from rich.cells import get_character_cell_size

DRAWN_AS = {
    "*": "●◐•",
    "o": "○◌",
    "x": "✕\N{MULTIPLICATION SIGN}",
    "%": "⊘░▒",
    "#": "■█▉▇",
    ">": "▸→",
    "<": "←",
    "^": "▲↑",
    "v": "▼↓",
    "+": "✓┌┐└┘├┤┬┴┼╭╮╰╯▅±",
    "~": "…",
    ".": "·▂",
    "-": "\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}─━┄╌▃",
    "'": "°",
    "u": "µ",
    "|": "│┃┆╎▌▐▍▎▏▊▋",
    "=": "▄",
    "_": "▁",
    "&": "▆▀",
    "?": "\N{REPLACEMENT CHARACTER}",
}


class _ToPlain(dict[int, str]):
    """A translation table that knows a character for every character."""

    def __missing__(self, code: int) -> str:
        if code < 0x80:
            return chr(code)
        if 0x2800 <= code < 0x2900:
            return " " if code == 0x2800 else "*"
        return "?" * max(0, get_character_cell_size(chr(code)))


TO_PLAIN = _ToPlain(
    {ord(character): replacement for replacement, drawn in DRAWN_AS.items() for character in drawn}
)


def plain(text: str) -> str:
    """The text in ASCII; every character keeps its width in cells."""
    return text if text.isascii() else text.translate(TO_PLAIN)


def terminal_is_plain(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the locale says that the terminal does not show UTF-8.

    Source: POSIX.1-2017, 8.2: LC_ALL before LC_CTYPE before LANG.  Python itself sets LC_CTYPE to a UTF-8
    one when the locale is C (PEP 538), hence LANG is asked before such a value is believed.
    """
    lang, ctype = environ.get("LANG", ""), environ.get("LC_CTYPE", "")
    if ctype == "C.UTF-8" and lang in ("C", "POSIX"):
        ctype = lang
    name = environ.get("LC_ALL") or ctype or lang
    if not name:
        return False
    return "utf8" not in name.casefold().replace("-", "")
