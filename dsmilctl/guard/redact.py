"""Redaction: what looks like a secret is replaced before anybody writes it down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

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
_SIGNS = (*_ANYWHERE, "api_key", "://", "bearer ", "basic ")
_NESTED = (dict, list, tuple, set, frozenset, Mapping)
_IN_TEXT = re.compile(
    r"(?P<start>://[^/\s:@]{0,200}:)[^/\s@]+(?=@)"
    r"|(?P<scheme>\b(?:bearer|basic) {1,3})[\w.~+/=-]{6,}"
    r"|(?P<name>(?:password|passwd|passphrase|secret|token|credential|api_?key)\w{0,20}\s{0,3}[=:]\s{0,3})[^\s&;,]+",
    re.IGNORECASE,
)


def redact(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with every value hidden whose key names a secret, at any depth; keys become text."""
    return _redact_mapping(mapping, 0)


def redact_text(text: str) -> str:
    """The text without the password of a URL, the token of a header or the value of `password=...`."""
    folded = text.lower()
    for sign in _SIGNS:
        if sign in folded:
            return _IN_TEXT.sub(_hide, text)
    return text


@lru_cache(4096)
def names_secret(key: str) -> bool:
    """Whether a value under this key stays unwritten: `mfa_token`, `apiKey`, `PIN`, but not `keyboard`."""
    folded = key.casefold().replace("_", "").replace("-", "")
    if any(part in folded for part in _ANYWHERE):
        return True
    return any(word.casefold() in _WORDS for word in _WORD.findall(key))


def _redact_mapping(mapping: Mapping[str, Any], depth: int) -> dict[str, Any]:
    return {
        str(key): HIDDEN if names_secret(str(key)) else _redact(value, depth + 1)
        for key, value in mapping.items()
    }


def _redact(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if not isinstance(value, _NESTED):
        return value
    if depth >= DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return _redact_mapping(value, depth)
    items = [_redact(item, depth + 1) for item in value]
    return sorted(items, key=str) if isinstance(value, set | frozenset) else items


def _hide(match: re.Match[str]) -> str:
    return (match["start"] or match["scheme"] or match["name"]) + HIDDEN
