"""Decoding: what bytes that somebody cut short, changed or wrote otherwise make the decoder raise."""

from __future__ import annotations

import msgspec

UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Every way in which JSON cannot be read; a string that is no UTF-8 raises no error of msgspec's own."""
