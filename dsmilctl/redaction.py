"""Redaction: takes secrets out of text before anybody writes or reads it: the log, the journal, errors.

Whoever learns a secret registers it here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

HIDDEN = "***"

SHORTEST = 4
"""A registered secret of fewer characters is not searched for: it would take half the text with it."""

DEEPEST = 32
"""Deeper nesting than this is not followed, so that a structure that contains itself ends."""

_PARTS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "credential",
    "apikey",
    "privatekey",
    "accesskey",
    "authorization",
)
_WORDS = frozenset(
    ("key", "keys", "pin", "pins", "mfa", "otp", "totp", "pwd", "pass", "auth", "cookie", "cookies", "bearer")
)
_WORD = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+"

_NAMES = (
    r"[\w-]{0,40}(?:password|passwd|passphrase|passcode|secret|token|credential"
    r"|(?:api|private|access)[_-]?key)\w{0,20}|pwd|mfa|otp|totp"
)
_VALUE = r"(?:\\?\"(?:[^\"\\]|\\[^\"]|\\\"(?=[^\s,}]))*\\?\"|'[^']*'|[^\s,;&\"'}]+)"

_RULES = (
    # Authorization: Bearer abc; Proxy-Authorization: Basic abc.  Source: RFC 9110, section 11.6.2.
    (r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?)(?:[a-z]+\s+)?[^\s\"',;]+", rf"\1{HIDDEN}"),
    (r"(?i)\b(bearer|basic|digest)\s+[A-Za-z0-9._~+/=-]{6,}", rf"\1 {HIDDEN}"),
    (r"(?i)(cookie[\"']?\s*[:=]\s*[\"']?)[^\r\n\"']+", rf"\1{HIDDEN}"),
    # https://user:password@host.  Source: RFC 3986, section 3.2.1.
    (r"(://)[^\s/?#@\"']+@", rf"\1{HIDDEN}@"),
    # JSON Web Tokens, also cut short.  Source: RFC 7519, section 3.
    (r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*", HIDDEN),
    (r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", HIDDEN),
    # password=abc, "api_key": "abc def", access_token: abc
    (rf"(?i)(?<![\w-])((?:{_NAMES})\\?[\"']?\s*(?:=>|[:=])\s*){_VALUE}", rf"\1{HIDDEN}"),
    (r"(?i)(--(?:password|token|secret|mfa|passphrase)[ =])\S+", rf"\1{HIDDEN}"),
)
"""Patterns and what takes their place, in this order; compiled by the first text, not by every start."""

_SIGNS = (
    "pass", "secret", "token", "credential", "key", "auth", "cookie", "pwd", "mfa", "otp", "bearer", "basic",
    "digest", "://", "eyj", "begin",
)  # fmt: skip
"""Without one of these in it no rule fits a text: most texts are looked at no further."""

_registered: set[str] = set()


def register(secret: str) -> None:
    """Have a secret hidden from now on, as it is and as it looks in a URL, in JSON and in a Python repr."""
    import json
    from urllib.parse import quote, quote_plus

    if len(secret) >= SHORTEST:
        quoted = {quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace")}
        written = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
        _registered.update({secret}, quoted, written)


def forget() -> None:
    """Forget every registered secret: for a program that changes its user, and for tests."""
    _registered.clear()


def redact(text: str) -> str:
    """The text with every secret hidden: registered ones, and whatever is written like one."""
    for secret in sorted(_registered, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    folded = text.casefold()
    if not any(sign in folded for sign in _SIGNS):
        return text
    for rule, replacement in _RULES:
        text = re.sub(rule, replacement, text)
    return text


@lru_cache(4096)
def is_secret_name(name: str) -> bool:
    """Whether a value of that name is a secret: `mfa_token`, `apiKey`, `PIN`, but not `keyboard`."""
    folded = name.casefold().replace("_", "").replace("-", "")
    if any(part in folded for part in _PARTS):
        return True
    return any(word.casefold() in _WORDS for word in re.findall(_WORD, name))


def redact_values(values: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """Named values with those of secret names hidden and the text in the others redacted, at any depth."""
    return {
        str(name): HIDDEN if is_secret_name(str(name)) else _redacted(value, depth + 1)
        for name, value in values.items()
    }


def _redacted(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if not isinstance(value, Mapping | list | tuple | set | frozenset):
        return value
    if depth >= DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return redact_values(value, depth)
    items = [_redacted(inner, depth + 1) for inner in value]
    return sorted(items, key=str) if isinstance(value, set | frozenset) else items
