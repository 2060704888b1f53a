"""Finding: one thing that a check of an archive found."""

from __future__ import annotations

import msgspec

LAYERS = ("database", "files", "data", "backups", "health")
ERROR, HINT = "error", "hint"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, where, and how to mend it.

    `layer` is one of LAYERS; `severity` is `error` for damage and `hint` for what should be looked after;
    `mended` says what a repair did about it.
    """

    layer: str
    severity: str = ERROR
    where: str
    what: str
    mend: str = ""
    mended: str = ""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check looked at and what it found."""

    findings: tuple[Finding, ...]
    segments: int = 0
    chunks: int = 0
    readings: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged, or all that was is mended."""
        return all(item.severity == HINT or item.mended for item in self.findings)
