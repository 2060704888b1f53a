"""The store: what a batch says of each device, also of those that are not in it."""

from __future__ import annotations

from dsmilctl.model.device import Device, DeviceState, DeviceStatus
from dsmilctl.model.reading import Batch, Quality, Reading
from dsmilctl.model.register import Register
from dsmilctl.tui.store import Condition, FleetStore
from tests.tui.fake_client import START, FakeClock, some_devices


def store_of(devices: list[Device]) -> tuple[FleetStore, FakeClock]:
    clock = FakeClock()
    statuses = [DeviceStatus(device.device_id, DeviceState.ACTIVE) for device in devices]
    return FleetStore(devices, statuses, clock), clock


def reading(device: int, value: float, register: str = "TEMP", *, quality: Quality = Quality.GOOD) -> Reading:
    return Reading(device, register, value, START, quality=quality, latency_ms=5.0)


def test_a_device_that_did_not_change_is_as_fresh_as_the_batch() -> None:
    store, clock = store_of(some_devices(3))
    store.take(Batch(1, START, (reading(0x8000, 40), reading(0x8001, 41), reading(0x8002, 42))))
    clock.elapsed += 5
    store.take(Batch(2, START, (reading(0x8000, 43),)))

    assert store.age(1, clock.monotonic()) == 0
    assert store.condition(1, live=True) is Condition.GOOD


def test_a_failed_device_ages_from_its_last_batch_and_recovers() -> None:
    store, clock = store_of(some_devices(3))
    store.take(Batch(1, START, (reading(0x8000, 40), reading(0x8001, 41))))
    for _ in range(4):
        clock.elapsed += 1
        store.take(Batch(2, START, (), failed=(0x8001,)))
    assert store.age(1, clock.monotonic()) == 4
    assert store.condition(1, live=True) is Condition.STALE
    assert store.age(0, clock.monotonic()) == 0

    store.take(Batch(3, START, (reading(0x8001, 41),)))
    assert store.age(1, clock.monotonic()) == 0
    assert store.condition(1, live=True) is Condition.GOOD


def test_a_device_that_is_asked_on_its_own_is_fresh_when_its_own_answer_comes() -> None:
    store, clock = store_of(some_devices(3))
    store.take(Batch(1, START, (reading(0x8000, 40),), pending=(0x8001, 0x8002)))
    store.take(Batch(2, START, (reading(0x8001, 41),), partial=True))
    clock.elapsed += 3
    store.take(Batch(3, START, (), pending=(0x8001, 0x8002)))
    assert store.age(1, clock.monotonic()) == 3  # the answer to this tick has not come yet
    assert store.condition(1, live=True) is Condition.GOOD

    store.take(Batch(4, START, (), failed=(0x8001,), partial=True))
    assert store.condition(1, live=True) is Condition.STALE
    store.take(Batch(5, START, (), pending=(0x8001, 0x8002)))
    assert store.condition(1, live=True) is Condition.STALE  # asked again, not heard yet
    store.take(Batch(6, START, (reading(0x8001, 42),), partial=True))
    assert store.condition(1, live=True) is Condition.GOOD
    assert store.age(1, clock.monotonic()) == 0


def test_only_rows_that_moved_are_handed_over() -> None:
    store, _ = store_of(some_devices(5))
    store.take(Batch(1, START, tuple(reading(0x8000 + row, 40) for row in range(4))))
    assert store.drain() == {0, 1, 2, 3}
    store.take(Batch(2, START, (reading(0x8002, 41),), failed=(0x8003,)))
    assert store.drain() == {2, 3}
    assert store.drain() == frozenset()


def test_alarms_are_counted_once_per_device_and_end_when_the_value_is_back() -> None:
    store, _ = store_of(some_devices(3))
    store.take(Batch(1, START, (reading(0x8000, 90), reading(0x8000, 99, "VOLTAGE"))))
    assert store.counts()["alarms"] == 1
    store.take(Batch(2, START, (reading(0x8000, 40),)))
    assert store.counts()["alarms"] == 1
    store.take(Batch(3, START, (reading(0x8000, 12, "VOLTAGE"),)))
    assert store.counts()["alarms"] == 0
    store.take(Batch(4, START, (reading(0x8001, 40, quality=Quality.BAD),)))
    assert store.condition(1, live=True) is Condition.ALARM


def test_devices_with_other_registers_share_mixed_columns() -> None:
    load = Register("load1", type="f64", unit="processes")
    used = Register("used_percent", type="f64", unit="%")
    devices = [
        Device("load", "load average", "host", (load,), default_register="load1"),
        Device("memory", "memory", "host", (used,), key_registers=("used_percent",)),
        Device("mute", "without registers", "host"),
    ]
    store, clock = store_of(devices)
    assert [(column.title, column.mixed) for column in store.columns] == [("READING", True)]
    store.take(Batch(1, START, (Reading("load", "load1", 0.5, START), Reading("memory", "other", 1, START))))
    assert store.readings[0][0] is not None
    assert store.age(2, clock.monotonic()) is None
    assert store.condition(2, live=True) is Condition.WAITING


def test_a_large_fleet_costs_nothing_per_device_and_tick() -> None:
    store, clock = store_of(some_devices(10_000))
    store.take(Batch(1, START, tuple(reading(0x8000 + row, 40) for row in range(10_000))))
    store.drain()
    clock.elapsed += 1
    store.take(Batch(2, START, (reading(0x8005, 41),)))
    assert store.drain() == {5}
    assert store.counts()["good"] == 9_999  # one is quarantined
