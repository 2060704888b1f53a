"""Cursor: where the next page of recorded readings begins, as a word that a client hands back as it is."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from zlib import crc32

import msgspec

from dsmilctl.errors import InvalidParameter
from dsmilctl.model.history import ReadingsQuery

LONGEST = 2000


class Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last reading of a page, by its key, how many of that key were shown, and the first page's times.

    `asked` stands for devices, registers, stretch and aggregate: a cursor is good for that question alone.
    """

    asked: int
    since: int | None
    until: int | None
    key: tuple[str, str, int, int, str]
    shown: int

    def text(self) -> str:
        """The cursor as a word."""
        return urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")


def asked(query: ReadingsQuery) -> int:
    """A number that stands for what a query asks, whatever the page."""
    what = (query.device_ids, query.registers, query.every, query.aggregate)
    return crc32(msgspec.msgpack.encode(what))


def cursor_of(query: ReadingsQuery) -> Cursor | None:
    """The cursor of a query; raises InvalidParameter for one that is of another question, or of none."""
    if not query.cursor:
        return None
    try:
        content = urlsafe_b64decode(query.cursor[:LONGEST] + "=" * (-len(query.cursor) % 4))
        found = msgspec.msgpack.decode(content, type=Cursor)
    except (binascii.Error, ValueError, RecursionError):  # msgspec's errors are ValueErrors
        raise _wrong("a cursor is the word that the page before ended with") from None
    if found.asked != asked(query):
        raise _wrong("the cursor belongs to another question")
    return found


def _wrong(message: str) -> InvalidParameter:
    hint = "repeat the question without cursor"
    return InvalidParameter(message, hint=hint, target="cursor")
