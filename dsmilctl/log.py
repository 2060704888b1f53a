"""Log: what the program says about itself, on stderr and in a file, without secrets and without repeating.

Every part logs under `dsmilctl.<part>`.  The extra `subject` says what a record is about (a device, a
context): records are compared with the last one about the same subject.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from threading import RLock
from traceback import format_exception_only
from typing import Any, TextIO

import msgspec

from dsmilctl.clock import NANOSECONDS, SYSTEM, Clock, rfc3339
from dsmilctl.redaction import redact, redact_values

ROOT = "dsmilctl"

PERIOD = 60.0
"""Seconds after which a message that keeps coming is counted aloud."""

SUBJECTS = 1024
"""How many subjects are remembered at once."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_CONTROL = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"


class Log:
    """The log that is in force; `close` ends it and tells what was still being counted."""

    def __init__(self) -> None:
        self._handlers: list[logging.Handler] = []
        self._levels: dict[str, int] = {}
        self.silence = logging.NullHandler()

    def add(self, handler: logging.Handler, formatter: logging.Formatter, clock: Clock) -> None:
        """Send records to a handler as well."""
        handler.setFormatter(formatter)
        handler.addFilter(Repetitions(handler, clock))
        self._handlers.append(handler)
        logging.getLogger().addHandler(handler)

    def set_level(self, part: str, level: str) -> None:
        """Set the least level of one part; the empty part is the program."""
        logger = logging.getLogger(f"{ROOT}.{part}" if part else ROOT)
        self._levels.setdefault(logger.name, logger.level)
        logger.setLevel(level.upper())

    def close(self) -> None:
        """Flush, close and forget every handler."""
        for handler in self._handlers:
            for counting in handler.filters:
                if isinstance(counting, Repetitions):
                    counting.flush()
            logging.getLogger().removeHandler(handler)
            handler.close()
        self._handlers.clear()
        logging.getLogger().removeHandler(self.silence)
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)
        self._levels.clear()


def configure(
    *,
    level: str = "warning",
    levels: Mapping[str, str] | None = None,
    verbosity: int = 0,
    stream: TextIO | None = None,
    file: Path | None = None,
    form: str = "text",
    tracebacks: bool = False,
    clock: Clock = SYSTEM,
) -> Log:
    """Start logging and return the log to close.

    `verbosity` counts `-v`: 1 shows `info`, 2 `debug`; `levels` are those of single parts and win.  `stream`
    (None: none) gets tracebacks only with `tracebacks`, `file` always.  Raises ConfigError for a file that
    cannot be opened.
    """
    log = Log()
    if file is not None:
        from dsmilctl.log_file import open_log_file

        log.add(open_log_file(file, stream), _formatter(form, tracebacks=True), clock)
    if stream is not None:
        log.add(QuietStream(stream), _formatter(form, tracebacks=tracebacks), clock)
    if not (file or stream):
        logging.getLogger().addHandler(log.silence)  # or logging would write to stderr by itself
    log.set_level("", _least(level, verbosity))
    for part, part_level in (levels or {}).items():
        log.set_level(part, part_level)
    return log


def _least(level: str, verbosity: int) -> str:
    wanted = ("error", "info", "debug")[min(verbosity, 2)]
    return min(level, wanted, key=lambda name: logging.getLevelNamesMapping()[name.upper()])


def _formatter(form: str, *, tracebacks: bool) -> logging.Formatter:
    return JsonFormatter(tracebacks=tracebacks) if form == "json" else TextFormatter(tracebacks=tracebacks)


class QuietStream(logging.StreamHandler[TextIO]):
    """Writes to a stream, and does not mind when nobody reads it any more."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """A stream that is gone cannot be told that it is gone."""


class _Formatter(logging.Formatter):
    """What both forms have in common: time, part, extras, and nothing secret in any of them."""

    def __init__(self, *, tracebacks: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def exception_lines(self, record: logging.LogRecord) -> list[str]:
        """The exception of a record: its traceback, or its type and message as one line."""
        if not record.exc_info or record.exc_info[1] is None:
            return []
        if self._tracebacks:
            return redact(self.formatException(record.exc_info)).splitlines()
        return [redact("".join(format_exception_only(record.exc_info[1])).strip())]


class TextFormatter(_Formatter):
    """One line per record, then the traceback: `2026-01-01T00:00:00.000Z WARNING drivers.sim: text a=1`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text; control characters in it are made visible and harmless."""
        extras = "".join(f" {name}={value}" for name, value in extras_of(record).items())
        line = f"{time_of(record)} {record.levelname:<7} {part_of(record)}: {message_of(record)}{extras}"
        return "\n  ".join(inert(text) for text in (line, *self.exception_lines(record)))


class JsonFormatter(_Formatter):
    """One JSON object per record: `time`, `level`, `part`, `message`, the extras, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON in ASCII."""
        import json

        fields: dict[str, Any] = {
            "time": time_of(record),
            "level": record.levelname.lower(),
            "part": part_of(record),
            "message": message_of(record),
        }
        fields |= {name: value for name, value in extras_of(record).items() if name not in fields}
        if exception := self.exception_lines(record):
            fields["exception"] = "\n".join(exception)
        try:
            return json.dumps(fields, default=str, allow_nan=False)
        except (ValueError, TypeError, RecursionError):
            return json.dumps({name: str(value) for name, value in fields.items()})


def time_of(record: logging.LogRecord) -> str:
    """When the record was made, RFC 3339 in UTC."""
    return rfc3339(int(record.created * NANOSECONDS))


def part_of(record: logging.LogRecord) -> str:
    """The part of the program that speaks; another library's name as it is."""
    return record.name.removeprefix(f"{ROOT}.")


def message_of(record: logging.LogRecord) -> str:
    """The message with its arguments, redacted; one that does not fit its arguments is shown as it is."""
    try:
        return redact(record.getMessage())
    except Exception:  # an argument's own __str__ may fail with anything; a log never fails its program
        return redact(str(record.msg))


def extras_of(record: logging.LogRecord) -> dict[str, Any]:
    """What the record carries besides its message, redacted."""
    return redact_values({name: value for name, value in vars(record).items() if name not in _STANDARD})


def inert(text: str) -> str:
    """The text with control and direction characters made visible, so that no terminal obeys them."""
    return re.sub(_CONTROL, lambda match: match.group().encode("unicode_escape").decode(), text)


class _Last(msgspec.Struct):
    record: logging.LogRecord
    said: tuple[int, str]
    since: float
    count: int = 0


class Repetitions(logging.Filter):
    """Lets a message through once and counts it while it repeats.

    The count is told when the same subject has something else to say, when `period` seconds are over, and
    at the end.
    """

    def __init__(self, handler: logging.Handler, clock: Clock = SYSTEM, period: float = PERIOD) -> None:
        super().__init__()
        self._handler = handler
        self._clock = clock
        self._period = period
        self._last: dict[tuple[str, str], _Last] = {}
        self._lock = RLock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is new; what was counted before it is written first."""
        key = record.name, str(getattr(record, "subject", ""))
        said = record.levelno, message_of(record)
        now = self._clock.monotonic()
        with self._lock:
            last = self._last.get(key)
            if last and last.said == said:
                last.count += 1
                if now - last.since >= self._period:
                    self._tell(last)
                    last.since = now
                return False
            if last:
                self._tell(self._last.pop(key))
            elif len(self._last) >= SUBJECTS:
                self._tell(self._last.pop(next(iter(self._last))))
            self._last[key] = _Last(record, said, now)
            return True

    def flush(self) -> None:
        """Tell every count that was not told yet."""
        with self._lock:
            for last in self._last.values():
                self._tell(last)

    def _tell(self, last: _Last) -> None:
        if not last.count:
            return
        times = "once more" if last.count == 1 else f"{last.count} times"
        told = logging.makeLogRecord(vars(last.record))
        told.msg, told.args = f"{last.said[1]} … repeated {times}", ()
        told.exc_info, told.created = None, self._clock.now() / NANOSECONDS
        last.count = 0
        self._handler.acquire()
        try:
            self._handler.emit(told)
        finally:
            self._handler.release()
