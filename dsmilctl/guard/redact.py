"""Redaction: what looks like a secret is replaced before anybody writes it down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
DEEPEST = 32
"""Deeper nesting than this is not followed, so that a structure that contains itself ends."""

_ANYWHERE = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "privatekey",
    "authorization",
)
_WORDS = frozenset(
    ("key", "keys", "pin", "pins", "mfa", "otp", "totp", "pwd", "pass", "auth", "cookie", "cookies", "bearer")
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_IN_TEXT = re.compile(
    r"(?P<start>://[^/\s:@]*:)[^/\s@]+(?=@)"
    r"|(?P<scheme>\b(?:bearer|basic)\s+)[\w.~+/=-]{6,}"
    r"|(?P<name>\b[\w-]*(?:password|passwd|passphrase|secret|token|credential|api_?key)\w*\s*[=:]\s*)[^\s&;,]+",
    re.IGNORECASE,
)
_HINT_IN_TEXT = re.compile(r"://|[=:]|bearer|basic", re.IGNORECASE)


def redact(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with every value hidden whose key names a secret, at any depth; keys become text."""
    return {
        str(key): HIDDEN if names_secret(str(key)) else _redact(value, 1) for key, value in mapping.items()
    }


def redact_text(text: str) -> str:
    """The text without the password of a URL, the token of a header or the value of `password=...`."""
    return _IN_TEXT.sub(_hide, text) if _HINT_IN_TEXT.search(text) else text


def names_secret(key: str) -> bool:
    """Whether a value under this key stays unwritten: `mfa_token`, `apiKey`, `PIN`, but not `keyboard`."""
    folded = key.casefold().replace("_", "").replace("-", "")
    if any(part in folded for part in _ANYWHERE):
        return True
    return any(word.casefold() in _WORDS for word in _WORD.findall(key))


def _redact(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if depth >= DEEPEST:
        return "..." if isinstance(value, Mapping | list | tuple | set | frozenset) else value
    if isinstance(value, Mapping):
        return {
            str(key): HIDDEN if names_secret(str(key)) else _redact(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redact(item, depth + 1) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_redact(item, depth + 1) for item in value), key=str)
    return value


def _hide(match: re.Match[str]) -> str:
    return (match["start"] or match["scheme"] or match["name"]) + HIDDEN
