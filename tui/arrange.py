"""Arrange: which rows of a fleet are shown, and in which order; run in the link's thread, never on a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from textual.fuzzy import Matcher

from dsmilctl.client.interface import Client
from dsmilctl.model.device import Risk
from dsmilctl.model.selector import parse_selector
from dsmilctl.tui.store import Condition, FleetStore

RISKS = {risk: place for place, risk in enumerate(Risk)}
CONDITIONS = {condition: place for place, condition in enumerate(Condition)}


async def rows_of(client: Client, store: FleetStore, selector: str) -> list[int]:
    """The rows that the CLI's selector names; raises what the selector raises."""
    if not selector:
        return list(range(len(store.devices)))
    devices = await client.devices(parse_selector(selector), quarantined=True)
    return sorted(store.row_of[device.device_id] for device in devices if device.device_id in store.row_of)


def in_order(store: FleetStore, rows: list[int], key: str, *, reverse: bool) -> list[int]:
    """The rows sorted by a column; rows that have nothing in it come last either way."""
    value = _value_of(store, key)
    pairs = [(value(row), row) for row in rows]
    known = [(number, row) for number, row in pairs if number is not None]
    known.sort(key=lambda pair: pair[0], reverse=reverse)
    return [row for _, row in known] + [row for number, row in pairs if number is None]


async def nearest_row(store: FleetStore, order: list[int], letters: str) -> int | None:
    """The place in `order` of the device whose id or name matches the letters best, if any does."""
    matcher = Matcher(letters)
    best, place = 0.0, None
    for index, row in enumerate(order):
        device = store.devices[row]
        score = matcher.match(f"{device.shown_id} {device.name[:80]}")
        if score > best:
            best, place = score, index
        if index % 200 == 0:
            await asyncio.sleep(0)  # newer letters take this over
    return place


def _value_of(store: FleetStore, key: str) -> Callable[[int], Any]:
    now = store.clock.monotonic()
    if key.startswith("key"):
        return _key_value(store, int(key[3:]))
    values: dict[str, Callable[[int], Any]] = {
        "device": lambda row: _id_order(store, row),
        "name": lambda row: store.devices[row].name.casefold(),
        "state": lambda row: CONDITIONS[store.condition(row, live=True)],
        "risk": lambda row: -RISKS[store.devices[row].risk],
        "minute": _key_value(store, 0),
        "age": lambda row: store.age(row, now),
        "latency": lambda row: _latency(store, row),
    }
    return values.get(key, values["device"])


def _id_order(store: FleetStore, row: int) -> tuple[bool, int | str]:
    device_id = store.devices[row].device_id
    return (isinstance(device_id, str), device_id)


def _key_value(store: FleetStore, place: int) -> Callable[[int], Any]:
    def value(row: int) -> float | None:
        reading = store.readings[place][row] if place < len(store.readings) else None
        known = reading is not None and isinstance(reading.value, int | float)
        return float(reading.value) if reading is not None and known and reading.value is not None else None

    return value


def _latency(store: FleetStore, row: int) -> float | None:
    reading = store.readings[0][row] if store.readings else None
    return None if reading is None else reading.latency_ms
