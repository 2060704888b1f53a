"""Entry point: where a driver is, and who brought it."""

from __future__ import annotations

import msgspec


class EntryPoint(msgspec.Struct, frozen=True):
    """A driver's name, its place as `module:class`, and the distribution that brought it.

    `problem` says why it cannot even be tried.
    """

    name: str
    target: str
    distribution: str
    version: str
    problem: str = ""

    @property
    def ours(self) -> bool:
        """Whether the driver is part of this package."""
        return self.target.startswith("dsmilctl.drivers.")
