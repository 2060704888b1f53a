"""Names: ids and register names out of what the kernel calls its parts, safe to type and never twice."""

from __future__ import annotations

import re

from dsmilctl.drivers.host.machine import printable

LONGEST = 64
AWKWARD_IN_ID = r"[^\w./:+-]+"
AWKWARD_IN_REGISTER = r"[^\w]+"


class Names:
    """Gives out names: what is taken gets `-2`, `-3` … behind it."""

    def __init__(self, separator: str = "-") -> None:
        self._separator = separator
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        """`name`, or `name` with the next free number."""
        unique, number = name, 1
        while unique.casefold() in self._taken:
            number += 1
            unique = f"{name}{self._separator}{number}"
        self._taken.add(unique.casefold())
        return unique


def id_of(kind: str, name: str) -> str:
    """A device id like `disk:/home` that needs no quoting and is no pattern, list or filter."""
    clean = re.sub(AWKWARD_IN_ID, "_", printable(name, LONGEST)).strip("_")
    return f"{kind}:{clean or 'unnamed'}"


def register_of(label: str, otherwise: str) -> str:
    """A register name like `package_id_0` out of a label, or `otherwise` where nothing of it remains."""
    clean = re.sub(AWKWARD_IN_REGISTER, "_", printable(label, LONGEST)).strip("_").lower()
    return f"{otherwise}_{clean}" if clean[:1].isdigit() else clean or otherwise
