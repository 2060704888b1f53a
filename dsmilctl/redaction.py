"""Redaction: takes secrets out of text before anybody reads it; whoever learns a secret registers it here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"

SHORTEST = 4
"""A registered secret of fewer characters is not searched for: it would take half the text with it."""

_NAME = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|credentials?|mfa|otp"
    r"|api[_-]?key|private[_-]?key|access[_-]?key"
)

_SECRET_NAME = re.compile(rf"(?:^|[_\W])(?:{_NAME})(?:$|[_\W])|(?:password|secret|token)$", re.IGNORECASE)

_RULES = (
    # Authorization: Bearer abc, authorization: Basic abc, Proxy-Authorization
    (re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?)(?:[a-z]+\s+)?[^\s\"',;]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic|digest)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)((?:set-)?cookie[\"']?\s*[:=]\s*[\"']?)[^\r\n\"']+"), rf"\1{HIDDEN}"),
    # https://user:password@host
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/?#@\"']+@"), rf"\1{HIDDEN}@"),
    # JSON Web Tokens, and their beginnings
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*"), HIDDEN),
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        HIDDEN,
    ),
    # password=abc, "api_key": "abc def", token: abc, --password abc
    (
        re.compile(
            rf"(?i)((?:\b|_)(?:{_NAME})\\?[\"']?\s*(?:[:=]|=>)\s*)(?:\\?\"(?:[^\"\\]|\\.)*\\?\"|\\?'[^']*'|[^\s,;&\"']+)"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?i)(--(?:password|token|secret|mfa|passphrase)[ =])\S+"), rf"\1{HIDDEN}"),
)

_registered: set[str] = set()


def register(secret: str) -> None:
    """Have a secret hidden from now on, as it is and as it looks inside a URL or a JSON text."""
    from urllib.parse import quote

    if len(secret) >= SHORTEST:
        _registered.update({secret, quote(secret, safe=""), secret.encode("unicode_escape").decode()})


def forget() -> None:
    """Forget every registered secret: for a program that changes its user, and for tests."""
    _registered.clear()


def redact(text: str) -> str:
    """The text with every secret hidden: registered ones, and whatever is written like one."""
    for secret in sorted(_registered, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for rule, replacement in _RULES:
        text = rule.sub(replacement, text)
    return text


def is_secret_name(name: str) -> bool:
    """Whether a parameter of that name holds a secret."""
    return bool(_SECRET_NAME.search(name))


def redact_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Named values with those of secret names hidden and the text in the others redacted."""
    return {name: HIDDEN if is_secret_name(name) else _redacted(value) for name, value in values.items()}


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return redact_values({str(name): inner for name, inner in value.items()})
    if isinstance(value, (list, tuple)):
        return [_redacted(inner) for inner in value]
    return value
