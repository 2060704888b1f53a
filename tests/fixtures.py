"""Fixtures that tests of several folders use; a folder's conftest brings those that it wants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dsmilctl.config.paths import Paths
from tests.unit.homes import throw_away_home
from tests.watchdog import Watchdog, watching


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Folders below a temporary one, and nothing from the real environment."""
    return throw_away_home(tmp_path, monkeypatch)


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    """Fails the test if one callback kept an event loop busy while everybody else waited."""
    with watching() as watch:
        yield watch
    watch.check()
