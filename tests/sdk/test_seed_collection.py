"""The specification's second program, as far as it is about the SDK: its login and its real-time part.

Tables, plots and the analysis of history come with the extra for analysis; what the program imports of them
is supplied here by names that keep what they are given.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio

from dsmilctl import DSMILClient
from dsmilctl.testing import DeviceSimulator
from tests.sdk.seed import adapted, run, snippets, specification

SPECIFICATION = specification()
pytestmark = pytest.mark.skipif(
    SPECIFICATION is None, reason="the specification does not lie beside this checkout (../shared/seeds)"
)


class Table(list[dict[str, Any]]):
    """Rows, and where they were to be written."""

    written = ""

    def to_csv(self, path: str, index: bool = True) -> None:
        assert not index
        self.written = path


class Analyzer:
    """What the program asks of the history, with the client that it would be asked of."""

    def __init__(self, client: DSMILClient) -> None:
        self.client = client
        self.asked: list[dict[str, Any]] = []

    async def export_device_history(self, **wanted: Any) -> dict[str, Any]:
        self.asked.append(wanted)
        status = await self.client.read_device(wanted["device_ids"][0], wanted["registers"][0])
        return {"STATUS": status.data}


def module(name: str, **members: Any) -> ModuleType:
    made = ModuleType(name)
    for member, value in members.items():
        setattr(made, member, value)
    return made


@pytest_asyncio.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    pandas = module("pandas", DataFrame=Table, concat=lambda tables, ignore_index: Table(tables))
    supplied = {
        "pandas": pandas,
        "numpy": module("numpy", number=float),
        "matplotlib": module("matplotlib"),
        "matplotlib.pyplot": module("matplotlib.pyplot"),
        "dsmilctl.analysis": module("dsmilctl.analysis", DeviceDataAnalyzer=Analyzer),
    }
    for name, made in supplied.items():
        monkeypatch.setitem(sys.modules, name, made)
    async with DeviceSimulator() as simulator:
        names: dict[str, Any] = {"__name__": "specification"}
        for code in snippets(SPECIFICATION.read_text() if SPECIFICATION else "")["18"]:
            await run(adapted(code, simulator.url), "section 18", names)
        made = names["DataCollectionSystem"](simulator.url)
        yield made
        await made.client.close()


async def test_18_the_collecting_program_logs_in_and_asks_for_the_history_of_each_group(
    collector: Any,
) -> None:
    found = await collector.collect_historical_data(days=7)

    assert [len(asked["device_ids"]) for asked in collector.analyzer.asked] == [4, 12, 16]
    assert [row["device_group"] for row in found] == ["controllers", "sensors", "actuators"]
    assert all(isinstance(row["STATUS"], int) for row in found)
    assert found.written == "./data/device_data_7days.csv"


async def test_18_the_collecting_program_follows_four_devices_in_real_time(collector: Any) -> None:
    (await collector.client.authenticate("analyst", "analyst_password", "python")).raise_for_status()

    rows = await collector.real_time_monitoring(duration_minutes=0.02)

    assert {(row["device_id"], row["register"]) for row in rows} == {
        (device_id, register)
        for device_id in range(0x8000, 0x8004)
        for register in ("STATUS", "TEMP", "VOLTAGE")
    }
    assert all(isinstance(row["value"], int) for row in rows)
    assert rows.written == "./data/realtime_data.csv"
