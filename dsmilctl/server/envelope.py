"""The envelope: every failure as the one body of the contract, with its status and headers."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from dsmilctl.clock import Clock, rfc3339
from dsmilctl.errors import DeviceError, DSMILError, RateLimitError
from dsmilctl.wire.base import Envelope, Problem, status_of
from dsmilctl.wire.words import in_fields

LOGGER = logging.getLogger("dsmilctl.server")
JSON = "application/json"
NO_STORE = (b"cache-control", b"no-store")
_ENCODER = msgspec.json.Encoder()


class Reply(Response):
    """A body of the contract that is whole, with headers that are bytes already: each request makes one."""

    def __init__(self, content: bytes, status: int) -> None:
        self.status_code = status
        self.background = None
        self.body = content
        self.raw_headers = [(b"content-length", b"%d" % len(content)), (b"content-type", b"application/json")]


def answer(value: Any, status: int = 200) -> Response:
    """A body of the contract."""
    return Reply(_ENCODER.encode(value), status)


def stamp(response: Response, request_id: str, seconds: float) -> None:
    """Put on an answer which request it is of, how long that took, and that nobody may keep it."""
    took = f"{seconds * 1000:.2f}"
    if isinstance(response, Reply):
        said = (b"x-request-id", request_id.encode()), (b"x-response-time", took.encode()), NO_STORE
        response.raw_headers += said
        return
    response.headers["X-Request-ID"] = request_id
    response.headers["X-Response-Time"] = took
    response.headers["Cache-Control"] = "no-store"


def failure(
    error: DSMILError, clock: Clock, request_id: str, details: Mapping[str, Any] | None = None
) -> Response:
    """The envelope of an error: code, sentence, details, and when to try again."""
    retry_after = error.retry_after if isinstance(error, RateLimitError) else None
    retry_after = getattr(error, "retry_after", retry_after)
    problem = Problem(
        code=error.code,
        message=error.message,
        details={**_details(error), **(details or {})},
        timestamp=rfc3339(clock.now()),
        request_id=request_id,
        retry_after=retry_after,
    )
    headers = {} if retry_after is None else {"Retry-After": str(max(1, math.ceil(retry_after)))}
    status = status_of(error)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(msgspec.json.encode(Envelope(error=problem)), status, headers, JSON)


def _details(error: DSMILError) -> dict[str, Any]:
    details: dict[str, Any] = dict(getattr(error, "details", {}))
    if error.hint:
        details["hint"] = in_fields(error.hint)
    if error.target:
        details["target"] = in_fields(error.target)
    if isinstance(error, DeviceError) and error.device_id != "":
        details["device_id"] = error.device_id
    return details


def unexpected(error: Exception, clock: Clock, request_id: str) -> Response:
    """A fault of ours: logged with its traceback, answered without."""
    LOGGER.error("request %s failed: %s", request_id, error, exc_info=error)
    return failure(DSMILError("the server failed; its log tells why"), clock, request_id)
