"""Reads: what failed is asked again, what is refused for good is not, and the status tells how it went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from dsmilctl.client.interface import Client
from dsmilctl.commands import reads
from dsmilctl.commands.invocation import begin
from dsmilctl.commands.reads import ReadOptions, exit_status, read_with_retries
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Quality, Reading

PUMP, VALVE = Device(1, "Pump", "sim"), Device(2, "Valve", "sim")
LOCKED = Device(3, "Lock", "sim", quarantined=True)


class Flaky:
    """A client whose valve answers after so many failures."""

    def __init__(self, failures: int) -> None:
        self._failures = failures
        self.asked: list[list[int | str]] = []

    async def read(
        self, devices: Sequence[Device], registers: Sequence[str], **options: Any
    ) -> list[Reading]:
        self.asked.append([device.device_id for device in devices])
        return [self._reading(device) for device in devices]

    def _reading(self, device: Device) -> Reading:
        if device is LOCKED:
            return bad(device, "DEVICE_QUARANTINED")
        if device is VALVE and len(self.asked) <= self._failures:
            return bad(device, "NETWORK_ERROR")
        return Reading(device.device_id, "TEMP", 20, 0)


def bad(device: Device, code: str) -> Reading:
    return Reading(device.device_id, "TEMP", None, 0, quality=Quality.BAD, error="no", error_code=code)


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The global options of a command line that does not pause between two attempts."""
    monkeypatch.setenv("DSMIL_HOME", str(tmp_path))
    monkeypatch.setattr(reads, "FIRST_PAUSE", 0.0)
    yield begin()


@pytest.mark.parametrize(("retries", "value"), [(0, None), (2, None), (3, 20), (9, 20)])
async def test_only_what_failed_is_asked_again_and_only_so_often(
    retries: int, value: int | None, quick: dict[str, Any]
) -> None:
    quick["retry"] = retries
    client = Flaky(failures=3)

    readings = await read_with_retries(
        cast(Client, client), [PUMP, VALVE, LOCKED], ReadOptions(selector="@all")
    )

    assert [reading.device_id for reading in readings] == [1, 2, 3]
    assert [reading.value for reading in readings] == [20, value, None]
    assert client.asked == [[1, 2, 3], *[[2]] * min(retries, 3)]


def test_the_status_is_that_of_the_failures() -> None:
    good = Reading(1, "TEMP", 20, 0)

    assert exit_status([]) == exit_status([good]) == 0
    assert exit_status([good, bad(VALVE, "NETWORK_ERROR")]) == 6
    assert exit_status([bad(VALVE, "NETWORK_ERROR"), bad(VALVE, "TIMEOUT")]) == 3
    assert exit_status([bad(VALVE, "TIMEOUT")]) == 5
    assert exit_status([bad(LOCKED, "DEVICE_QUARANTINED")]) == 1
    assert exit_status([bad(VALVE, "NEVER_HEARD_OF")]) == 1
