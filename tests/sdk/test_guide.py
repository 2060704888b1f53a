"""The SDK's guide: its blocks run, top to bottom, and it names what there is."""

from __future__ import annotations

import re
from typing import Any

import pytest

import dsmilctl
from dsmilctl import DSMILClient, SyncDSMILClient
from dsmilctl.testing import DeviceSimulator
from tests.contract.source import ROOT
from tests.sdk.seed import run

GUIDE = (ROOT / "docs/sdk.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = {"raise_for_status", "run_forever", "set_gap_handler", "on_gap", "load_dotenv"}
"""Names that belong to a result, a WebSocket, a parameter or the package."""


async def test_every_block_of_the_guide_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    async with DeviceSimulator() as simulator:
        monkeypatch.setenv("DSMIL_BASE_URL", simulator.url)
        names: dict[str, Any] = {"url": simulator.url, "__name__": "guide"}
        for number, code in enumerate(BLOCK.findall(GUIDE), 1):
            await run(
                code,
                f"block {number}",
                names,
            )

    assert len(BLOCK.findall(GUIDE)) >= 8
    assert names["bulk"].summary.successful == 2
    assert names["done"].read_back == 5
    assert names["planned"].success
    assert names["kept"].read_back == 7
    assert names["both"].summary.successful == 2
    assert names["count"] == 4
    assert names["released"].success
    assert names["status"].is_active


def test_every_method_that_the_guide_names_exists() -> None:
    named = set(re.findall(r"`([a-z_]+)\(", GUIDE) + re.findall(r"\bclient\.([a-z_]+)\(", GUIDE)) - ELSEWHERE

    assert len(named) >= 15
    assert {name for name in named if not hasattr(DSMILClient, name)} == set()


def test_every_public_method_says_what_it_does_and_most_are_in_the_guide() -> None:
    public = {
        name for name in vars(DSMILClient) | dict.fromkeys(dir(DSMILClient)) if not name.startswith("_")
    }
    undocumented = {name for name in public if not getattr(DSMILClient, name).__doc__}

    assert undocumented == set()


def test_every_public_name_of_the_package_is_in_the_guide() -> None:
    assert {name for name in dsmilctl._NAMES if name not in GUIDE} <= {
        "BulkOperation",
        "OperationType",
        "ConfigError",
    }


def test_the_face_without_an_event_loop_has_the_same_methods() -> None:
    with SyncDSMILClient("http://127.0.0.1:9") as client:
        assert {name for name in dir(DSMILClient) if not name.startswith("_")} <= set(dir(client))
