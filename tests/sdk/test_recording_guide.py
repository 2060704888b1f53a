"""The guide to recordings from a program: its blocks run, top to bottom, in a fresh home."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dsmilctl.config.paths import Paths
from tests.contract.source import ROOT
from tests.fixtures import home as home  # noqa: PLC0414 - a fixture of this module, too
from tests.sdk.seed import run

GUIDE = (ROOT / "docs/recording.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


async def test_every_block_of_the_guide_to_recordings_runs(
    home: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DSMIL_SIM_OPTIONS", '{"period": 1e12}')
    names: dict[str, Any] = {"__name__": "guide"}

    for number, code in enumerate(BLOCK.findall(GUIDE), 1):
        await run(code, f"block {number}", names)

    assert names["done"].success
    assert names["done"].retry_count == 2
    assert [test.error_code for test in names["failed"]] == ["E1"]
    assert (names["summary"]["session_name"], names["summary"]["success_rate"]) == ("tour", 100.0)
    assert len(names["impact"]) == 1
    assert names["count"] >= 79
    told = capsys.readouterr().out
    assert told == "begin 0x4C7 5 None\ncomplete 0x4C7 5 True\n"
