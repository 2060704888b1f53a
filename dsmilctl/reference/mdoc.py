"""Mdoc: the words of the manual's markup language, and text made safe for it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

_CODE = re.compile(r"`([^`]+)`")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def text(words: str) -> list[str]:
    """Running text: a line per sentence, wrapped; `code` in bold; paragraphs kept apart."""
    lines: list[str] = []
    for number, paragraph in enumerate(re.split(r"\n\s*\n", words.strip())):
        lines += [".Pp"] if number else []
        for sentence in _SENTENCE.split(" ".join(paragraph.split())):
            marked = _CODE.sub(lambda match: f"\0{match[1]}\1", sentence)
            lines += [_fonts(plain(line)) for line in textwrap.wrap(marked, 76, break_on_hyphens=False)]
    return lines


def _fonts(line: str) -> str:
    return line.replace("\0", r"\fB").replace("\1", r"\fP")


def plain(line: str) -> str:
    """One line without anything that the formatter would obey."""
    safe = line.replace("\\", r"\e").replace("-", r"\-").replace("…", "...")
    safe = "".join(character if ord(character) < 128 else f"\\[u{ord(character):04X}]" for character in safe)
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe


def literal(lines: Iterable[str]) -> list[str]:
    """Lines as they are, such as examples."""
    return [".Bd -literal -offset indent", *map(plain, lines), ".Ed"]


def tagged(items: Iterable[tuple[str, list[str]]]) -> list[str]:
    """A list of tags (macros) and the lines about each; nothing when it is empty."""
    lines = [line for tag, body in items for line in (f".It {tag}", *body)]
    return [".Bl -tag -width Ds", *lines, ".El"] if lines else []


def word(token: str) -> str:
    """One argument of a macro that is not itself taken for a macro."""
    escaped = plain(token).replace('"', r"\(dq")
    return f'"{escaped}"' if " " in escaped else f"\\&{escaped}" if len(token) < 4 else escaped
