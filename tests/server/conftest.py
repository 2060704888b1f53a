"""Fixtures of the server's tests: one server per module, with a throw-away home."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures import home, watchdog
from tests.server.served import Served
from tests.unit.homes import throw_away_home

__all__ = ["home", "watchdog"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that the tests of a module share."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        throw_away_home(tmp_path_factory.mktemp("server"), monkeypatch)
        with Served() as server:
            yield server
