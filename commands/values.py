"""Values: what the text of a command line means where no register says of what type it is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dsmilctl.errors import InvalidParameter
from dsmilctl.model.register import Value

LARGEST = 1 << 20
"""Bytes of a file of settings."""


def free_value(text: str) -> Value:
    """A truth, a whole number (decimal, 0x…, 0b…), a number, or else the text itself."""
    folded = text.casefold()
    if folded in ("true", "false"):
        return folded == "true"
    try:
        return int(text, 0)
    except ValueError:
        pass  # perhaps a fraction
    try:
        return float(text)
    except ValueError:
        return text


def settings_of(words: Sequence[str], file: str = "") -> tuple[tuple[str, Value], ...]:
    """Settings from `KEY=VALUE` words over those of a JSON file (`-`: stdin); raises InvalidParameter."""
    settings: dict[str, Value] = _from_file(file) if file else {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InvalidParameter(f"{word!r} is not KEY=VALUE", hint="threshold=1024", target=word)
        settings[key] = free_value(value)
    return tuple(settings.items())


def file_content(name: str, largest: int) -> bytes:
    """What a file (`-`: stdin) holds; raises InvalidParameter where it cannot be read or is too large."""
    try:
        content = standard_input(largest) if name == "-" else _read(Path(name), largest)
    except OSError as error:
        hint = f"looked for it in {Path(name).absolute().parent}"
        raise InvalidParameter(f"{name}: {error.strerror}", hint=hint, target=name) from None
    if len(content) > largest:
        hint = "is it the right file?"
        raise InvalidParameter(f"{name} is larger than {largest >> 20} MB", hint=hint, target=name)
    return content


def _read(file: Path, largest: int) -> bytes:
    with file.open("rb") as opened:
        return opened.read(largest + 1)


def _from_file(name: str) -> dict[str, Value]:
    content = file_content(name, LARGEST)
    try:
        return msgspec.json.decode(content, type=dict[str, Value])
    except msgspec.MsgspecError as error:
        hint = 'a JSON object such as {"threshold": 1024}'
        raise InvalidParameter(f"{name}: {error}", hint=hint, target=name) from None


def standard_input(largest: int) -> bytes:
    """What is on stdin, and one byte more than `largest` where there is more than that."""
    return b"" if sys.stdin is None else sys.stdin.buffer.read(largest + 1)
