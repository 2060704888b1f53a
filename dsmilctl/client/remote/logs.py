"""Logs of the client: requests without their secrets, performance and security records of one form each."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from dsmilctl.clock import SYSTEM, rfc3339

REQUESTS = logging.getLogger("dsmilctl.client.requests")
PERFORMANCE = logging.getLogger("dsmilctl.client.performance")
SECURITY = logging.getLogger("dsmilctl.client.security")
NAMES = ("dsmilctl", "dsmil_client")
LONGEST_BODY = 2000


class PerformanceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as one line of JSON; times in milliseconds."""

    timestamp: str
    method: str
    path: str
    status: int
    attempts: int
    duration_ms: float
    network_ms: float
    error_code: str = ""
    event: str = "request"


class SecurityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Something that matters to security, as one line of JSON.

    `event` is login, login_failed, refresh, logout, refused, emergency_stop or emergency_release.
    """

    timestamp: str
    event: str
    user: str = ""
    outcome: str = ""
    error_code: str = ""
    device_id: int | str | None = None


def configure_logging(
    level: int | str = logging.INFO,
    format: str = "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
    file_path: str | None = None,
) -> None:
    """Send the client's log records to a file, or to standard error without one, secrets taken out.

    Calling it again replaces what the call before it set up.
    """
    handler = logging.FileHandler(file_path, encoding="utf-8") if file_path else logging.StreamHandler()
    handler.setFormatter(_Redacting(format))
    handler.set_name("dsmilctl.configure_logging")
    for name in NAMES:
        logger = logging.getLogger(name)
        for old in [item for item in logger.handlers if item.get_name() == handler.get_name()]:
            logger.removeHandler(old)
            old.close()
        logger.addHandler(handler)
        logger.setLevel(level)


class _Redacting(logging.Formatter):
    """A formatter whose text holds no secret, whoever wrote the record."""

    def format(self, record: logging.LogRecord) -> str:
        from dsmilctl.redaction import redact

        return redact(super().format(record))


class Logs:
    """What one client logs: nothing of these until it is asked to."""

    def __init__(self) -> None:
        self.requests = False
        self.performance = False
        self.security = False

    def request(self, method: str, path: str, content: bytes) -> None:
        """A request goes out."""
        if self.requests:
            REQUESTS.info("→ %s %s %s", method, _text(path), _body(content))

    def answer(self, method: str, path: str, status: int, content: bytes, milliseconds: float) -> None:
        """An answer came in."""
        if self.requests:
            REQUESTS.info(
                "← %s %s %d in %.1f ms %s", method, _text(path), status, milliseconds, _body(content)
            )

    def performed(self, **fields: Any) -> None:
        """A call is over."""
        if self.performance:
            record = PerformanceRecord(timestamp=rfc3339(SYSTEM.now()), **fields)
            PERFORMANCE.info("%s", msgspec.json.encode(record).decode(), extra={"record": record})

    def secured(self, event: str, **fields: Any) -> None:
        """Something that matters to security happened."""
        if self.security:
            record = SecurityRecord(timestamp=rfc3339(SYSTEM.now()), event=event, **fields)
            SECURITY.info("%s", msgspec.json.encode(record).decode(), extra={"record": record})


def _text(text: str) -> str:
    from dsmilctl.redaction import redact

    return redact(text)


def _body(content: bytes) -> str:
    """A body as a log may hold it: by the names of its fields, not by looks alone."""
    from dsmilctl.redaction import redact, redact_values

    if not content:
        return ""
    try:
        decoded = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return redact(content[:LONGEST_BODY].decode("utf-8", "replace"))
    if isinstance(decoded, dict):
        decoded = redact_values(decoded)
    return redact(msgspec.json.encode(decoded).decode())[:LONGEST_BODY]
