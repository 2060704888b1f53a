"""Layer: what one source of settings says, and where it says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from dsmilctl.config.document import KeyPath


class Layer(msgspec.Struct, frozen=True):
    """What one source says: `values` as nested tables, `origins` where each setting stands."""

    values: dict[str, Any]
    origins: dict[KeyPath, str]

    def origin(self, path: KeyPath) -> str | None:
        """Where this source sets a setting, or None."""
        value: Any = self.values
        for part in path:
            if not isinstance(value, dict) or part not in value:
                return None
            value = value[part]
        while path and path not in self.origins:
            path = path[:-1]
        return self.origins.get(path)


NOTHING = Layer({}, {})


def leaf_values(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value in nested tables with its path; an empty table is a value."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaf_values(inner, (*path, name))
    else:
        yield path, value
