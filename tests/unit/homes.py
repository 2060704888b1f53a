"""A throw-away home for tests: folders, a working folder in it, and nothing from the real environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dsmilctl.config.paths import Paths, paths


def throw_away_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Everything below `folder`, the working folder `folder/work`, no DSMIL_ variable but DSMIL_HOME."""
    for name in list(os.environ):
        if name.startswith("DSMIL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DSMIL_HOME", str(folder / "dsmil"))
    monkeypatch.setenv("HOME", str(folder))
    (folder / "work").mkdir()
    monkeypatch.chdir(folder / "work")
    return paths()


def write(file: Path, text: str) -> Path:
    """Write a file and the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@contextmanager
def plain_user() -> Iterator[None]:
    """Not root for a while: root may read and write everything, which a test of a refusal cannot use."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
