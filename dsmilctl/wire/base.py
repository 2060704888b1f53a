"""The two kinds of message: strict requests and tolerant answers; and the envelope of every failure."""

from __future__ import annotations

from typing import Any

import msgspec

from dsmilctl.errors import DSMILError


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body that a client sends; a field that the contract does not know is refused."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A body that a server sends; fields that a client does not know are ignored."""


class Problem(Answer, frozen=True, kw_only=True):
    """What went wrong: a stable code, a sentence, details, and when to try again (seconds)."""

    code: str
    message: str
    details: dict[str, Any] = {}
    timestamp: str = ""
    request_id: str = ""
    retry_after: float | None = None


class Envelope(Answer, frozen=True, kw_only=True):
    """The one body of every failure.  Source: the DSMIL API, version 2, error envelope."""

    error: Problem


class Pagination(Answer, frozen=True, kw_only=True):
    """Which part of a list this is; `total` is None only where it was asked not to be counted."""

    total: int | None
    returned: int
    offset: int = 0
    has_more: bool = False


STATUSES = {
    "INVALID_PARAMETER": 422,
    "JUSTIFICATION_REQUIRED": 422,
    "AUTHENTICATION_FAILED": 401,
    "TOKEN_EXPIRED": 401,
    "MFA_REQUIRED": 401,
    "PERMISSION_DENIED": 403,
    "APPROVAL_REQUIRED": 403,
    "READ_ONLY": 403,
    "DEVICE_NOT_FOUND": 404,
    "NOT_FOUND": 404,
    "DEVICE_BUSY": 409,
    "CONFLICT": 409,
    "ACCOUNT_LOCKED": 423,
    "DEVICE_QUARANTINED": 423,
    "RATE_LIMITED": 429,
    "HARDWARE_ERROR": 502,
    "NETWORK_ERROR": 502,
    "PROTOCOL_ERROR": 502,
    "EMERGENCY_STOP": 503,
    "STATE_UNAVAILABLE": 503,
    "TIMEOUT": 504,
    "INTERNAL_ERROR": 500,
}
"""Error code → HTTP status.  Source: the DSMIL API, version 2, error codes; READ_ONLY and STATE_UNAVAILABLE
are ours: a server that is read-only, or whose journal cannot be written."""


def status_of(error: DSMILError) -> int:
    """The HTTP status that an error travels with."""
    return STATUSES.get(error.code, 400 if error.exit_status == 2 else 500)
