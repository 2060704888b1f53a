"""Words: what the guard's refusals call an option of the command is a field of a body on the wire."""

from __future__ import annotations

FIELDS = {
    "--justification": "justification",
    "--justification 'why this is done'": '"justification": "why this is done"',
    "--if-value": "if_value",
    "leave --if-value out": 'leave "if_value" out',
    "--offset": "offset",
    "leave --offset and --length out": 'leave "offset" and "length" out',
    "dsmilctl device list": "GET /api/v2/devices",
    "dsmilctl approval list": "GET /api/v2/approvals",
    "ask for one: dsmilctl approval request": "ask for one: POST /api/v2/approvals",
    "ask a second person: dsmilctl approval request": "ask a second person: POST /api/v2/approvals",
    "try again when that is done, or wait longer for it with --timeout": "try again when that is done",
}
"""Targets and hints of the command, and those of the API."""

OPTIONS = {field: option for option, field in FIELDS.items()}


def in_fields(text: str) -> str:
    """A hint or target for who sends bodies."""
    return FIELDS.get(text, text)


def in_options(text: str) -> str:
    """A hint or target for who types commands."""
    return OPTIONS.get(text, text)
