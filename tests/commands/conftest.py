"""Fixtures of the command tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell with a fresh home, whose simulated devices stand still."""
    return Shell(tmp_path)
