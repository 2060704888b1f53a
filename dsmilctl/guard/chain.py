"""Chain: one line of the journal, sealed with its own SHA-256 and bound to the line before it.

A line is the canonical JSON of a record (keys sorted, no spaces, UTF-8, cf. RFC 8785) with one more key at
its end, `hash`: the SHA-256 of that JSON without it.  `previous` is the hash of the line before: whoever
changes one record has to change all that follow.  Any tool can check a line:

    jq -cSj 'del(.hash)' | sha256sum
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from importlib import import_module
from typing import Any

import msgspec

from dsmilctl.clock import NANOSECONDS
from dsmilctl.model.audit import AuditRecord

GENESIS = "0" * 64
"""`previous` of the very first record."""
BEGIN = b'{"action":"'
"""How every line begins."""
TRAILER = 75
"""Bytes of `,"hash":"<64 digits>"}` at the end of every line."""


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What a record's hash is made of.  `time` is RFC 3339 in UTC with nanoseconds, so it sorts as text."""

    action: str
    context: str
    decision: str
    host: str
    operation_id: str
    outcome: str
    parameters: dict[str, Any]
    previous: str
    sequence: int
    target: str
    time: str
    user: str


class Line(Body, frozen=True, kw_only=True):
    """A body with its hash."""

    hash: str


class Fragment(Enum):
    """What bytes without a line feed at the end of a journal are."""

    WHOLE = auto()
    """A sealed record that lacks nothing but its line feed."""
    TORN = auto()
    """The beginning of a record: a write was cut off, so nobody was told that it is recorded."""
    DAMAGED = auto()
    """Something that no cut-off write leaves behind."""


def _sha256() -> Callable[[bytes], Any]:
    """The interpreter's own SHA-256: `hashlib` would load OpenSSL, which costs a command milliseconds."""
    for name in ("_sha2", "_sha256"):
        try:
            return import_module(name).sha256  # type: ignore[no-any-return]  # a built-in without annotations
        except ImportError:
            continue
    import hashlib

    return hashlib.sha256


sha256 = _sha256()
_encoder = msgspec.json.Encoder(order="sorted", enc_hook=str)
_decoder = msgspec.json.Decoder(Line)


def canonical(value: Any) -> bytes:
    """Canonical JSON of anything; what JSON has no form for becomes text."""
    try:
        return _encoder.encode(value)
    except (TypeError, UnicodeEncodeError):
        return _encoder.encode(_presentable(msgspec.to_builtins(value, enc_hook=str, str_keys=True)))


def seal(body: bytes) -> tuple[bytes, str]:
    """The line, with its line feed, of a JSON object, and its hash."""
    digest: str = sha256(body).hexdigest()
    return body[:-1] + b',"hash":"' + digest.encode() + b'"}\n', digest


def unseal(line: bytes) -> bytes | None:
    """The JSON object in a line (without line feed), nothing if its hash does not fit."""
    body = line[:-TRAILER] + b"}"
    return body if seal(body)[0] == line + b"\n" else None


def link(body: Body, time: int) -> tuple[bytes, AuditRecord]:
    """The line of a body, and the record with its hash; `time` is the body's time in nanoseconds."""
    line, digest = seal(canonical(body))
    return line, _record(body, time, digest)


def read_line(line: bytes) -> Line | None:
    """The record in a line, nothing if it is none; its hash is not checked."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def as_record(line: Line) -> AuditRecord:
    """The record as the rest of the program knows it."""
    return _record(line, nanoseconds(line.time), line.hash)


def _record(body: Body, time: int, digest: str) -> AuditRecord:
    return AuditRecord(
        sequence=body.sequence,
        time=time,
        user=body.user,
        host=body.host,
        context=body.context,
        action=body.action,
        target=body.target,
        parameters=body.parameters,
        decision=body.decision,
        outcome=body.outcome,
        operation_id=body.operation_id,
        previous=body.previous,
        hash=digest,
    )


def nanoseconds(text: str) -> int:
    """Nanoseconds since the Unix epoch of a time as `rfc3339` writes it; 0 if it is none."""
    from datetime import datetime

    try:
        whole = int(datetime.fromisoformat(text[:19] + "+00:00").timestamp())
        return whole * NANOSECONDS + int(text[20:-1].ljust(9, "0"))
    except ValueError:
        return 0


def judge(fragment: bytes) -> Fragment:
    """What the bytes after the last line feed are; a power cut may have left zeros behind them."""
    if unseal(fragment) is not None:
        return Fragment.WHOLE
    written = fragment.rstrip(b"\0")
    if not (written.startswith(BEGIN) or BEGIN.startswith(written)):
        return Fragment.DAMAGED
    return Fragment.DAMAGED if _holds_object(written) else Fragment.TORN


def _holds_object(text: bytes) -> bool:
    """Whether a complete JSON object stands at the beginning, whatever follows."""
    import json

    try:
        json.JSONDecoder().raw_decode(text.decode("utf-8", "replace"))
    except ValueError:
        return False
    return True


def _presentable(value: Any) -> Any:
    """The value with every text made valid UTF-8: a file name of the system may hold anything."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_presentable(str(key)): _presentable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_presentable(item) for item in value]
    return value
