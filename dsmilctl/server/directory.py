"""Directory: the endpoint of a path, found by its parts; to try one route after the other costs more."""

from __future__ import annotations

from collections.abc import Iterable

from dsmilctl.server.endpoint import Endpoint

Parts = tuple[str, ...]


class Directory:
    """Endpoints by method and number of parts; a fixed word goes before a part that varies."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._known: dict[tuple[str, int], list[tuple[Parts, Endpoint]]] = {}
        for endpoint in endpoints:
            parts = tuple(endpoint.full_path.split("/"))
            self._known.setdefault((endpoint.method, len(parts)), []).append((parts, endpoint))
        for candidates in self._known.values():
            candidates.sort(key=lambda item: sum(part.startswith("{") for part in item[0]))

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """The endpoint and the parts of the path that vary, by their names; None where there is none."""
        parts = path.split("/")
        for pattern, endpoint in self._known.get((method, len(parts)), ()):
            if (found := _varying(pattern, parts)) is not None:
                return endpoint, found
        return None


def _varying(pattern: Parts, parts: list[str]) -> dict[str, str] | None:
    found = {}
    for word, part in zip(pattern, parts, strict=True):
        if word == part:
            continue
        if not word.startswith("{") or not part:
            return None
        found[word[1:-1]] = part
    return found
