"""Environment files: `NAME=value` lines that become environment variables."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

LOGGER = logging.getLogger("dsmilctl.client")
LARGEST = 1 << 20
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")
_COMMENT = re.compile(r"\s#.*$")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


def load_dotenv(path: str | Path = ".env", *, override: bool = False) -> bool:
    """Take variables from a file into the environment; those that are set already stay unless `override`.

    Whether there was such a file.  A line that is no assignment is left out and logged by its number.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")[:LARGEST]
    except OSError:
        return False
    for name, value in parse_dotenv(text).items():
        if override or name not in os.environ:
            os.environ[name] = value
    return True


def parse_dotenv(text: str) -> dict[str, str]:
    """The assignments in a text, without quotes and `export`."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or "\0" in line:
            LOGGER.warning("line %d of the environment file is no assignment", number)
        else:
            found[match[1]] = _value(match[2])
    return found


def _value(text: str) -> str:
    if text[:1] in ("'", '"'):
        end = _closing(text)
        if end > 0:
            inner = text[1:end]
            return inner if text[0] == "'" else re.sub(r"\\(.)", _unescaped, inner)
    return "" if text.startswith("#") else _COMMENT.sub("", text).rstrip()


def _closing(text: str) -> int:
    """Where the quotation that begins the text ends; -1 where it does not."""
    position = 1
    while position < len(text):
        if text[position] == "\\" and text[0] == '"':
            position += 1
        elif text[position] == text[0]:
            return position
        position += 1
    return -1


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[0])
