"""Every test here runs under the watchdog: whatever goes wrong, the event loop is never blocked."""

from __future__ import annotations

import pytest

from tests.fixtures import home, watchdog
from tests.watchdog import Watchdog

__all__ = ["home", "watchdog"]


@pytest.fixture(autouse=True)
def never_blocked(watchdog: Watchdog) -> None:
    """No callback may keep an event loop busy for longer than half a second."""
