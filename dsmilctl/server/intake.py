"""Intake: a request's body and query as values, within limits of size and time."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from dsmilctl.errors import InvalidParameter, OperationTimeout
from dsmilctl.server.asked import Asked
from dsmilctl.server.exchange import WHOLE_BODY
from dsmilctl.server.mistakes import mistake

LARGEST_BODY = 1 << 20
DEADLINE = 10.0


class BodyTooLarge(InvalidParameter):
    """A body beyond the limit; it was not read to its end."""


class TooSlow(OperationTimeout):
    """A body that dripped beyond the deadline."""


async def read_body(asked: Asked, kind: Any) -> Any:
    """The body as a value of `kind`; an empty body is an empty object.

    Raises InvalidParameter that names the field, BodyTooLarge, or TooSlow.
    """
    _require_plain(asked)
    whole = asked.extension(WHOLE_BODY)
    content = whole() if whole else None
    if content is None:
        content = await _arriving(asked)
    elif len(content) > LARGEST_BODY:
        raise _too_large()
    if kind is None:
        return None
    try:
        return _decoder(kind).decode(content or b"{}")
    except msgspec.ValidationError as error:
        raise mistake(error, kind) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidParameter(f"the body is no JSON: {error}", hint="application/json") from None


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"a body may have {LARGEST_BODY:,} bytes", hint="split the request")


def _require_plain(asked: Asked) -> None:
    """Raise for a body that says beforehand that it is too large, or that it has to be unpacked."""
    declared = asked.header(b"content-length")
    if declared.isdigit() and int(declared) > LARGEST_BODY:
        raise _too_large()
    if asked.header(b"content-encoding") not in ("", "identity"):
        raise InvalidParameter("compressed bodies are not taken", hint="send the body as it is")


async def _arriving(asked: Asked) -> bytes:
    """A body of which some is on its way, within the deadline."""
    parts, size, more = [], 0, True
    try:
        async with asyncio.timeout(DEADLINE):
            while more:
                message = await asked.receive()
                if message["type"] == "http.disconnect":
                    raise TooSlow("the client went away in mid-body")
                part = message.get("body", b"")
                size, more = size + len(part), message.get("more_body", False)
                if size > LARGEST_BODY:
                    raise _too_large()
                parts.append(part)
    except TimeoutError:
        raise TooSlow(f"the body did not arrive within {DEADLINE:g} s") from None
    return b"".join(parts)


def read_query(asked: Asked, kind: type[msgspec.Struct]) -> Any:
    """The query as a value; raises InvalidParameter that names the parameter."""
    text = asked.scope["query_string"]
    if not text:
        return _empty(kind)
    given: dict[str, str] = {}
    for name, value in parse_qsl(text.decode("latin-1"), keep_blank_values=True):
        if name in given:
            raise InvalidParameter(f"query parameter {name!r} is given twice", target=name)
        given[name] = value
    return _query(given, kind)


@cache
def _empty(kind: type[msgspec.Struct]) -> Any:
    """The value of a query without parameters, which is the same for all requests."""
    return _query({}, kind)


def _query(given: dict[str, str], kind: type[msgspec.Struct]) -> Any:
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise mistake(error, kind) from None
