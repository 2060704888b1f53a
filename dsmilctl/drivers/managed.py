"""Managed: one device with its driver, its state and what the lifecycle remembers of it."""

from __future__ import annotations

import asyncio
import random

import msgspec

from dsmilctl.drivers.contract import Driver
from dsmilctl.drivers.statistics import Statistics
from dsmilctl.errors import DSMILError, HardwareError, NetworkError, OperationTimeout
from dsmilctl.model.device import Device, DeviceState, DeviceStatus


class Reconnect(msgspec.Struct, frozen=True):
    """When a failed device is tried again: exponential backoff with jitter.

    `first` and `cap` are seconds, `jitter` the part of a delay that is drawn by chance, `give_up` the number
    of failures in a row after which the device is left alone (0: never) for `cool_down` seconds (0: until
    somebody orders it to connect).
    """

    first: float = 0.5
    cap: float = 30.0
    jitter: float = 0.2
    give_up: int = 0
    cool_down: float = 0.0

    def delay(self, failures: int) -> float:
        """Seconds to wait after that many failures in a row."""
        if self.given_up(failures) and self.cool_down:
            return self.cool_down
        plain = min(self.cap, self.first * 2.0 ** min(failures - 1, 16))
        return plain * (1 + self.jitter * (random.random() - 0.5))

    def given_up(self, failures: int) -> bool:
        """Whether the device is left alone until somebody asks for it."""
        return bool(self.give_up) and failures >= self.give_up


class Managed:
    """One device of a fleet.  Only the lifecycle changes it."""

    __slots__ = (
        "_lock",
        "device",
        "driver",
        "failures",
        "initialized",
        "last_seen",
        "opened",
        "plain",
        "reason",
        "retry_at",
        "since",
        "state",
        "statistics",
        "waiting",
    )

    def __init__(self, device: Device, driver: Driver, since: int) -> None:
        self.device = device
        self.driver = driver
        self.state = DeviceState.DISCOVERED
        self.reason = ""
        self.since = since
        self.last_seen: int | None = None
        self.initialized = False
        self.opened = False
        self.waiting = 0
        self.failures = 0
        self.retry_at = 0.0
        self.statistics = Statistics()
        self.plain = driver.plain(device)
        self._lock: asyncio.Lock | None = None

    def resume(self, status: DeviceStatus) -> None:
        """Begin in the state in which an earlier process left the device."""
        self.state, self.reason = status.state, status.reason
        self.since, self.last_seen = status.since, status.last_seen

    @property
    def lock(self) -> asyncio.Lock:
        """The device's one lock, made when it is first needed."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    @property
    def connected(self) -> bool:
        """Whether a conversation is open."""
        return self.state in (DeviceState.CONNECTED, DeviceState.ACTIVE)

    @property
    def stoppable(self) -> bool:
        """Whether an emergency stop can do anything: a register with a safe value, or a driver's own way."""
        if type(self.driver).safe_state is not Driver.safe_state:
            return True
        return any(register.safe is not None and register.writable for register in self.device.registers)

    @property
    def status(self) -> DeviceStatus:
        """The device's state as a value."""
        return DeviceStatus(self.device.device_id, self.state, self.reason, self.since, self.last_seen)


def failure_of(managed: Managed, error: Exception, deadline: float) -> DSMILError:
    """Whatever a driver raised, as one of our errors that names the device.

    A deadline that passed while the device was not even connected is a NetworkError: nothing was asked of it.
    """
    device = managed.device
    if isinstance(error, DSMILError):
        return error
    if isinstance(error, TimeoutError) and not managed.connected:
        message = f"{device.shown_id} could not be reached within {deadline:g} s"
        return NetworkError(message, hint="dsmilctl doctor, or a longer --timeout", target=device.shown_id)
    if isinstance(error, TimeoutError):
        message = f"{device.shown_id} did not answer within {deadline:g} s"
        return OperationTimeout(
            message, device_id=device.device_id, hint="dsmilctl doctor, or a longer --timeout"
        )
    if isinstance(error, OSError):
        what = str(error) or type(error).__name__
        return NetworkError(f"{device.shown_id}: {what}", target=device.shown_id)
    message = f"driver {device.driver} failed on {device.shown_id}: {type(error).__name__}: {error}"
    return HardwareError(message, device_id=device.device_id, hint="run again with --debug for the traceback")
