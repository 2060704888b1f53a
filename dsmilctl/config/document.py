"""Document: a TOML text with the place of every key and value in it.

The standard library reads TOML but forgets where things stood.  The scanner here only has to be right for
texts that the standard library has accepted.  Source: TOML 1.0.0.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from dsmilctl.config.problem import Problem

KeyPath = tuple[str | int, ...]
"""The way to a value: names of tables and keys, numbers of array elements."""

LIMIT = 128 * 1024
"""A settings file is small; a larger one (bytes) is refused before it can cost time."""

DEPTH = 32
"""Parts of one key.  Longer ones make the standard parser slow, and no setting lies that deep."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_REST = re.compile(r"[ \t]*(?:#[^\n]*)?\r?\n?")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!"")|"(?="""))*"""|'
    + r"'''(?:[^']|'(?!'')|'(?='''))*'''|"
    + r"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]*[^,\]}#\s]")


class TooDeep(Exception):
    """A key of more than DEPTH parts, at `offset`."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class NoToml(Exception):
    """The scanner met what it does not know."""


class Statement(msgspec.Struct, frozen=True):
    """One `key = value` line, or one table header when `value` is None.

    `start` and `end` span it with its comment and line end, `value` spans the value alone; offsets in
    characters.
    """

    path: KeyPath
    start: int
    end: int
    value: tuple[int, int] | None = None


class Document:
    """A TOML text: `data` is what it says, `statements` how it is written."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.statements: list[Statement] = []
        self._offsets: dict[KeyPath, int] = {}
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        # The scan comes first: it ends at a key that would keep the standard library busy for minutes.
        # Where the text is not TOML it ends somewhere, and the standard library says what is wrong.
        with suppress(IndexError, NoToml):
            _Scanner(text, self.statements, self._offsets).scan()
        self.data: dict[str, Any] = tomllib.loads(text)

    def place(self, path: KeyPath) -> tuple[int, int]:
        """Line and column, both from 1, of a key; of the nearest one around it where it has none."""
        while path and path not in self._offsets:
            path = path[:-1]
        offset = self._offsets.get(path, 0)
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def located(self, path: KeyPath) -> bool:
        """Whether the text has a key of exactly this path."""
        return path in self._offsets


class _Scanner:
    """Walks once over the text and writes down where keys and values are."""

    def __init__(self, text: str, statements: list[Statement], offsets: dict[KeyPath, int]) -> None:
        self._text = text
        self._at = 0
        self._statements = statements
        self._offsets = offsets
        self._tables: dict[KeyPath, int] = {}

    def scan(self) -> None:
        """The whole text: headers and lines."""
        table: KeyPath = ()
        self._skip(_SPACE)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._line(table)
            self._skip(_SPACE)

    def _header(self) -> KeyPath:
        start = self._at
        array = self._text.startswith("[[", start)
        self._at += 2 if array else 1
        self._skip(_BLANK)
        path = self._key((), start)
        if array:
            number = self._tables.get(path, -1) + 1
            self._tables[path] = number
            path = (*path, number)
            self._offsets[path] = start
        self._skip(_BLANK)
        self._at += 2 if array else 1
        self._skip(_REST)
        self._statements.append(Statement(path, start, self._at))
        return path

    def _line(self, table: KeyPath) -> None:
        start = self._at
        path = self._pair(table)
        value = self._value_start, self._at
        self._skip(_REST)
        self._statements.append(Statement(path, start, self._at, value))

    def _pair(self, table: KeyPath) -> KeyPath:
        path = self._key(table, self._at, follow=False)
        self._skip(_BLANK)
        self._at += 1  # the equals sign
        self._skip(_BLANK)
        begin = self._at
        self._value(path)
        self._value_start = begin
        return path

    def _key(self, path: KeyPath, offset: int, *, follow: bool = True) -> KeyPath:
        """A dotted key; a header's parts lead into the last element of an array of tables."""
        while True:
            path = (*path, self._part())
            if len(path) > DEPTH:
                raise TooDeep(offset)
            self._offsets.setdefault(path, offset)
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return path
            self._at += 1
            self._skip(_BLANK)
            if follow and path in self._tables:
                path = (*path, self._tables[path])

    def _part(self) -> str:
        if self._text[self._at] in "\"'":
            literal = self._take(_STRING)
            return _decoded(literal)
        return self._take(_BARE_KEY)

    def _value(self, path: KeyPath) -> None:
        first = self._text[self._at]
        if first == "{":
            self._elements("}", lambda number: self._pair(path))
        elif first == "[":
            self._elements("]", lambda number: self._element((*path, number)))
        else:
            self._take(_STRING if first in "\"'" else _BARE_VALUE)

    def _element(self, path: KeyPath) -> None:
        self._offsets[path] = self._at
        self._value(path)

    def _elements(self, end: str, element: Callable[[int], object]) -> None:
        number = 0
        self._at += 1
        self._skip(_SPACE)
        while self._text[self._at] != end:
            element(number)
            number += 1
            self._skip(_SPACE)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_SPACE)
        self._at += 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise NoToml
        self._at = match.end()
        return match.group()


def _decoded(literal: str) -> str:
    try:
        return str(tomllib.loads(f"k = {literal}")["k"])
    except tomllib.TOMLDecodeError as error:
        raise NoToml from error


def read_document(path: str) -> tuple[Document | None, list[Problem]]:
    """A TOML file, or what is wrong with it."""
    problems: list[Problem] = []
    content = read_bounded(path, problems)
    if content is None:
        return None, problems
    try:
        return _parsed(content.decode("utf-8"), path)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        place = f"{path}:{line}:{column}"
        return None, [Problem(place=place, message="is not UTF-8 text", hint="save it as UTF-8")]


def read_bounded(path: str, problems: list[Problem]) -> bytes | None:
    """The content of a file of at most LIMIT bytes; None when `problems` says why not."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(LIMIT + 1) if regular else b""
    except OSError as error:
        hint = f"chmod u+r {path}" if isinstance(error, PermissionError) else "it has to be a readable file"
        problems.append(Problem(place=path, message=f"cannot be read: {error.strerror}", hint=hint))
        return None
    if not regular:
        problems.append(Problem(place=path, message="is not a regular file", hint=f"rm {path}"))
        return None
    if len(content) > LIMIT:
        message = f"is larger than {LIMIT // 1024} KiB, which no settings file is"
        problems.append(Problem(place=path, message=message, hint="is it the right file?"))
        return None
    return content


def _without_waiting(path: str, flags: int) -> int:
    """Open so that a FIFO in the place of a file does not hold the program up."""
    return os.open(path, flags | os.O_NONBLOCK)


def _parsed(text: str, path: str) -> tuple[Document | None, list[Problem]]:
    try:
        return Document(text), []
    except tomllib.TOMLDecodeError as error:
        return None, [_syntax(str(error), text, path)]
    except TooDeep as error:
        line, column = position(text, error.offset)
        return None, [
            Problem(place=f"{path}:{line}:{column}", message=f"is nested deeper than {DEPTH} tables")
        ]
    except RecursionError:
        return None, [Problem(place=path, message="is nested too deeply to be read")]


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of an offset."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _syntax(said: str, text: str, path: str) -> Problem:
    match = re.search(r"^(.*) \(at line (\d+), column (\d+)\)$", said, re.DOTALL)
    if match:
        message, line, column = match.groups()
    else:
        message = said.removesuffix(" (at end of document)")
        line, column = position(text, len(text))
    return Problem(
        place=f"{path}:{line}:{column}", message=f"is not TOML: {message}", hint="toml.io describes it"
    )
