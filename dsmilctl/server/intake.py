"""Intake: a request's body and query as values, within limits of size and time."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request

from dsmilctl.errors import InvalidParameter, OperationTimeout
from dsmilctl.server.mistakes import mistake

LARGEST_BODY = 1 << 20
DEADLINE = 10.0


class BodyTooLarge(InvalidParameter):
    """A body beyond the limit; it was not read to its end."""


class TooSlow(OperationTimeout):
    """A body that dripped beyond the deadline."""


async def read_body(request: Request, kind: Any) -> Any:
    """The body as a value of `kind`; an empty body is an empty object.

    Raises InvalidParameter that names the field, BodyTooLarge, or TooSlow.
    """
    content = await _content(request)
    if kind is None:
        return None
    try:
        return msgspec.json.decode(content or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise mistake(error, kind) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidParameter(f"the body is no JSON: {error}", hint="application/json") from None


async def _content(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > LARGEST_BODY:
        raise BodyTooLarge(f"a body may have {LARGEST_BODY:,} bytes", hint="split the request")
    if request.headers.get("content-encoding", "identity") not in ("", "identity"):
        raise InvalidParameter("compressed bodies are not taken", hint="send the body as it is")
    parts, size = [], 0
    try:
        async with asyncio.timeout(DEADLINE):
            async for part in request.stream():
                size += len(part)
                if size > LARGEST_BODY:
                    raise BodyTooLarge(f"a body may have {LARGEST_BODY:,} bytes", hint="split the request")
                parts.append(part)
    except TimeoutError:
        raise TooSlow(f"the body did not arrive within {DEADLINE:g} s") from None
    except ClientDisconnect:
        raise TooSlow("the client went away in mid-body") from None
    return b"".join(parts)


def read_query(request: Request, kind: type[msgspec.Struct]) -> Any:
    """The query as a value; raises InvalidParameter that names the parameter."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise InvalidParameter(f"query parameter {name!r} is given twice", target=name)
        given[name] = value
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise mistake(error, kind) from None
