"""Failures: what a server says went wrong, as the typed error that the local client raises for the same."""

from __future__ import annotations

from typing import Any

import msgspec

from dsmilctl.client.remote.exchange import Incoming
from dsmilctl.clock import NANOSECONDS, SYSTEM
from dsmilctl.errors import (
    AccountLocked,
    AuthenticationError,
    DeviceError,
    DSMILError,
    ProtocolError,
    RateLimitError,
    error_of,
)
from dsmilctl.model.device import DeviceId
from dsmilctl.wire.base import Envelope, Problem
from dsmilctl.wire.words import in_options

RETURNED = frozenset(
    {
        "PERMISSION_DENIED",
        "APPROVAL_REQUIRED",
        "READ_ONLY",
        "INVALID_PARAMETER",
        "JUSTIFICATION_REQUIRED",
        "EMERGENCY_STOP",
        "STATE_UNAVAILABLE",
        "REFUSED",
    }
)
"""Codes of 403, 422 and 503: an operation that they refuse returns a result.  All others raise."""

SHOWN = 80


class BadAnswer(ProtocolError):
    """An answer that no server of the API gave; `status` is its HTTP status, `retry_after` in seconds."""

    def __init__(self, message: str, *, status: int, retry_after: float | None = None) -> None:
        super().__init__(message, hint="does the address lead to a DSMIL server, or to a proxy?")
        self.status = status
        self.retry_after = retry_after


def error_in(answer: Incoming, device_id: DeviceId | None = None) -> DSMILError | None:
    """The error that an answer carries; None for one that succeeded."""
    if answer.status < 400:
        return None if 200 <= answer.status < 300 else _bad(answer)
    try:
        problem = msgspec.json.decode(answer.content, type=Envelope).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _old_error(answer)
    return error_from(problem, answer, device_id)


def error_from(problem: Problem, answer: Incoming, device_id: DeviceId | None = None) -> DSMILError:
    """The typed error of an envelope, with its details, request id, and when to try again."""
    details = problem.details
    hint, target = (in_options(str(details.get(name, ""))) for name in ("hint", "target"))
    retry_after = problem.retry_after if problem.retry_after is not None else retry_after_of(answer)
    error = error_of(problem.code, problem.message, hint=hint, target=target)
    if type(error) is DSMILError and problem.code == "QUARANTINED":
        error = error_of("DEVICE_QUARANTINED", problem.message, hint=hint, target=target)
    if isinstance(error, RateLimitError | AccountLocked) and retry_after is not None:
        error.retry_after = retry_after
    if isinstance(error, DeviceError):
        about = details.get("device_id", device_id)
        error.device_id = about if isinstance(about, int | str) else ""
    _attach(error, details, problem.request_id)
    return error


def _attach(error: DSMILError, details: dict[str, Any], request_id: str) -> None:
    """What came along: `details` as sent, `request_id` for whoever reads the server's log."""
    error.__dict__.update(details=details, request_id=request_id)


def _old_error(answer: Incoming) -> DSMILError:
    """An error body of the old dialect, `{"detail": …}`, or an answer of something else altogether."""
    try:
        content = msgspec.json.decode(answer.content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _bad(answer)
    if not isinstance(content, dict) or "detail" not in content:
        return _bad(answer)
    message = str(content["detail"])
    if answer.status == 401 or message == "Not authenticated":
        return AuthenticationError(message)
    codes = {403: "PERMISSION_DENIED", 404: "NOT_FOUND", 422: "INVALID_PARAMETER", 400: "INVALID_PARAMETER",
             423: "ACCOUNT_LOCKED", 429: "RATE_LIMITED", 503: "EMERGENCY_STOP"}  # fmt: skip
    error = error_of(codes.get(answer.status, "INTERNAL_ERROR"), message)
    if isinstance(error, RateLimitError | AccountLocked):
        error.retry_after = retry_after_of(answer) or 1.0
    return error


def _bad(answer: Incoming) -> BadAnswer:
    kind = answer.headers.get("content-type", "no content type").partition(";")[0]
    beginning = " ".join(answer.content[:200].decode("utf-8", "replace").split())[:SHOWN]
    shown = f": {beginning}" if beginning.isprintable() and beginning else ""
    message = f"HTTP {answer.status} with {kind} is no answer of the DSMIL API{shown}"
    return BadAnswer(message, status=answer.status, retry_after=retry_after_of(answer))


def bad_body(answer: Incoming, why: str) -> BadAnswer:
    """An answer that succeeded, with a body that cannot be understood."""
    kind = answer.headers.get("content-type", "no content type").partition(";")[0]
    return BadAnswer(f"HTTP {answer.status} with {kind} cannot be understood: {why}", status=answer.status)


def retry_after_of(answer: Incoming) -> float | None:
    """Seconds until one may try again: a number or a date.  Source: RFC 9110, section 10.2.3."""
    text = answer.headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return _until(text, answer.headers.get("date", ""))
    return seconds if 0 <= seconds < float("inf") else None


def _until(text: str, now: str) -> float | None:
    """Seconds between two HTTP dates, both by the server's clock, so that a skewed one does no harm."""
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    try:
        then = parsedate_to_datetime(text)
        begun = parsedate_to_datetime(now) if now else datetime.fromtimestamp(SYSTEM.now() / NANOSECONDS, UTC)
        return max(0.0, (then - begun).total_seconds())
    except (TypeError, ValueError):
        return None


def again(error: DSMILError) -> DSMILError:
    """The same error for one more who is to hear it: a shared one would collect everybody's traceback."""
    copy = type(error).__new__(type(error), *error.args)
    copy.__dict__.update(error.__dict__)
    return copy
