"""Refusals: why something is not there, on one line."""

from __future__ import annotations

from dsmilctl.errors import DSMILError
from dsmilctl.tui.inert import inert
from dsmilctl.tui.widgets.line import Part


def refusal_parts(error: DSMILError) -> list[Part]:
    """What is wrong, what to do, and at the end the file, which may be too long for the line."""
    file, colon, reason = error.message.partition(": ")
    if not colon or not file.startswith("/"):
        file, reason = "", error.message
    dim = (f"  {inert(text)}" for text in (error.hint, file))
    return [Part(f" {inert(reason)}", "bad"), *(Part(text, "dim") for text in dim)]
