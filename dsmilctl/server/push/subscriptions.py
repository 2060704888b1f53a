"""Subscriptions: what one connection wants to hear of the devices, how, and how often."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from dsmilctl.client.interface import Client
from dsmilctl.client.local import LocalClient
from dsmilctl.clock import rfc3339
from dsmilctl.errors import (
    DeviceQuarantined,
    DSMILError,
    InvalidParameter,
    PermissionDenied,
    nearest,
)
from dsmilctl.model.device import Device, DeviceId, show_id
from dsmilctl.model.identity import Clearance, Identity
from dsmilctl.model.operation import OperationType
from dsmilctl.model.reading import Reading
from dsmilctl.model.register import Register, find_register
from dsmilctl.model.selector import EVERYTHING
from dsmilctl.server.push.feeds import Feed, Key
from dsmilctl.server.push.outbox import Letter, Outbox
from dsmilctl.server.push.ticks import ENCODER, Tick, reading_infos, update_of
from dsmilctl.server.visible import no_device, require_visible
from dsmilctl.wire.messages import SUBSCRIPTIONS, Subscribe

SHORTEST_INTERVAL_MS = 100
LONGEST_INTERVAL_MS = 3_600_000
MOST_PER_SECOND = 1000
RISKS = ("LOW", "MEDIUM", "MODERATE", "HIGH", "CRITICAL")
_RATE = re.compile(r"MAX_([1-9][0-9]{0,3})_PER_SECOND")


def check(wanted: Subscribe, identity: Identity) -> None:
    """Raise InvalidParameter for what cannot be subscribed to, PermissionDenied for what may not be."""
    name = wanted.subscription
    if name not in SUBSCRIPTIONS:
        hint = nearest(name, SUBSCRIPTIONS) or f"subscriptions: {', '.join(SUBSCRIPTIONS)}"
        raise InvalidParameter(f"no subscription {name!r}", hint=hint, target="subscription")
    _known("operation_types", wanted.filters.operation_types, tuple(OperationType))
    _known("risk_levels", wanted.filters.risk_levels, RISKS)
    check_interval(wanted.interval_ms)
    most_per_second(wanted.rate_limit)
    needed = Clearance[SUBSCRIPTIONS[name]]
    if identity.clearance < needed:
        raise PermissionDenied(
            f"{name} needs clearance {needed.name}, {identity.user} has {identity.clearance.name}",
            hint="ask somebody with that clearance",
            target=name,
        )


def _known(field: str, given: Iterable[str], known: Sequence[str]) -> None:
    for item in given:
        if item not in known:
            hint = nearest(item, known) or f"known: {', '.join(known)}"
            raise InvalidParameter(f"{field}: {item!r} is not known", hint=hint, target=field)


def check_interval(interval_ms: int) -> None:
    """Raise InvalidParameter for an interval that no stream may have."""
    if not SHORTEST_INTERVAL_MS <= interval_ms <= LONGEST_INTERVAL_MS:
        span = f"{SHORTEST_INTERVAL_MS} to {LONGEST_INTERVAL_MS}"
        raise InvalidParameter(f"interval_ms {interval_ms} is not {span}", target="interval_ms")


def most_per_second(text: str) -> int:
    """How many messages a second `MAX_n_PER_SECOND` lets through; 0 is no limit."""
    if not text:
        return 0
    found = _RATE.fullmatch(text)
    if found is None or int(found[1]) > MOST_PER_SECOND:
        hint = f"MAX_1_PER_SECOND to MAX_{MOST_PER_SECOND}_PER_SECOND"
        raise InvalidParameter(f"no rate limit {text!r}", hint=hint, target="rate_limit")
    return int(found[1])


def chosen_devices(
    known: Sequence[Device], ids: Sequence[DeviceId], risks: Sequence[str] = ()
) -> list[Device]:
    """The devices that a stream is about: those named, or all that are not quarantined.

    `known` are those that the user may see.  Raises DeviceNotFound, DeviceQuarantined, InvalidParameter.
    """
    by_id = {device.device_id: device for device in known}
    for device_id in ids:
        if device_id not in by_id:
            raise no_device(device_id)
        if by_id[device_id].quarantined:
            raise DeviceQuarantined(f"{show_id(device_id)} is quarantined", device_id=device_id)
    levels = {"MEDIUM" if risk == "MODERATE" else risk for risk in risks}
    wanted = set(ids)
    found = [
        device
        for device in known
        if not device.quarantined
        and (not wanted or device.device_id in wanted)
        and (not levels or device.risk.value in levels)
    ]
    if not found:
        raise InvalidParameter("the filters leave no device", target="filters")
    return found


async def devices_for(
    fleet: Client, client: LocalClient, ids: Sequence[DeviceId], risks: Sequence[str] = ()
) -> list[Device]:
    """The devices of a stream: of all of a fleet those that the client's identity may see.

    Raises DeviceNotFound, and PermissionDenied for one that is kept from the identity or that the policy
    lets nobody of its clearance read.  An attempt at a quarantined device is put before the guard, which
    refuses and journals it.
    """
    everything = await fleet.devices(EVERYTHING, quarantined=True)
    there = {device.device_id for device in everything}
    for device_id in there.intersection(ids):
        require_visible(client.identity, device_id)
    known = [device for device in everything if client.identity.may_see(device.device_id)]
    try:
        chosen = chosen_devices(known, ids, risks)
    except DeviceQuarantined:
        await client.read([device for device in known if device.quarantined and device.device_id in ids])
        raise
    await client.reads.require(chosen)
    return chosen


def chosen_registers(devices: Sequence[Device], names: Sequence[str]) -> tuple[str, ...]:
    """The registers' names as the devices have them; raises InvalidParameter for one that none can read."""
    tables = list({id(device.registers): device.registers for device in devices}.values())
    return tuple(dict.fromkeys(_register(tables, name) for name in names))


def _register(tables: Sequence[Sequence[Register]], name: str) -> str:
    problem = InvalidParameter(f"no register {name!r}", target="registers")
    for table in tables:
        try:
            register = find_register(table, name)
        except InvalidParameter as error:
            problem = error
            continue
        if register.readable:
            return register.name
        problem = InvalidParameter(f"{register.name} is write-only", target="registers")
    raise problem


class DeviceUpdates:
    """A subscription to device updates: turns ticks into letters.

    With a rate limit newer values replace older ones that wait, and how many did is told.
    """

    def __init__(
        self,
        subscription_id: str,
        wanted: Subscribe,
        outbox: Outbox,
        ended: Callable[[str, DSMILError], None],
    ) -> None:
        self.subscription_id = subscription_id
        self.feed: Feed | None = None
        self._batch = wanted.batch
        self._causes = frozenset(wanted.filters.operation_types)
        self._outbox = outbox
        self._tell_end = ended
        self._limit = most_per_second(wanted.rate_limit)
        self._waiting: dict[tuple[DeviceId, str], Reading] = {}
        self._failed: tuple[DeviceId, ...] = ()
        self._superseded = 0
        self._next_at = 0.0
        self._told_at = -1.0
        self._timer: asyncio.TimerHandle | None = None

    def key(self, wanted: Subscribe, devices: Sequence[Device], registers: tuple[str, ...]) -> Key:
        """The feed that it needs."""
        ids = tuple(device.device_id for device in devices)
        return Key(ids, registers, wanted.interval_ms / 1000, wanted.changes_only)

    def take(self, tick: Tick) -> None:
        """Put what the tick brought into the outbox, now or as soon as the rate limit lets it."""
        if self._causes and tick.cause not in self._causes:
            return
        if self._limit:
            self._wait(tick)
        elif self._batch:
            self._send_frames(tick)
        else:
            for update in tick.updates:
                self._news("DEVICE_STATE_UPDATE", update)

    def _send_frames(self, tick: Tick) -> None:
        batch, last = tick.batch, len(tick.frames) - 1
        for number, (count, readings) in enumerate(tick.frames):
            data = self._frame(
                readings, batch.timestamp, batch.failed, batch.pending, batch.latency_ms,
                partial=batch.partial or number != last,
            )  # fmt: skip
            self._news("DEVICE_STATE_BATCH", data, max(count, 1))

    def _frame(
        self,
        readings: bytes,
        timestamp: int,
        failed: tuple[DeviceId, ...] = (),
        pending: tuple[DeviceId, ...] = (),
        latency_ms: float = 0.0,
        *,
        partial: bool,
    ) -> bytes:
        frame: dict[str, Any] = {
            "readings": msgspec.Raw(readings),
            "failed": failed,
            "pending": pending,
            "partial": partial,
            "latency_ms": round(latency_ms, 3),
            "timestamp": rfc3339(timestamp, 6),
            "subscription_id": self.subscription_id,
        }
        return ENCODER.encode(frame)

    def _wait(self, tick: Tick) -> None:
        for reading in tick.batch.readings:
            key = (reading.device_id, reading.register)
            self._superseded += key in self._waiting
            self._waiting[key] = reading
        self._failed = tick.batch.failed
        if self._timer is None and self._waiting:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._next_at), self._let_through)

    def _let_through(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        if self._batch:
            readings = tuple(self._waiting.values())
            self._waiting.clear()
            infos = ENCODER.encode(reading_infos(readings))
            newest = max(reading.timestamp for reading in readings)
            data = self._frame(infos, newest, self._failed, partial=True)
            self._news("DEVICE_STATE_BATCH", data, len(readings))
        else:
            self._news("DEVICE_STATE_UPDATE", update_of(self._waiting.pop(next(iter(self._waiting)))))
        self._next_at = loop.time() + 1 / self._limit
        if self._superseded and loop.time() - self._told_at >= 1:
            self._tell_limit(loop.time())
        if self._waiting:
            self._timer = loop.call_at(self._next_at, self._let_through)

    def _tell_limit(self, now: float) -> None:
        """What was superseded by newer values is told, at most once a second."""
        told = {
            "retry_after": 1 / self._limit,
            "limit": f"MAX_{self._limit}_PER_SECOND",
            "superseded": self._superseded,
            "subscription_id": self.subscription_id,
        }
        self._superseded, self._told_at = 0, now
        self._news("CLIENT_RATE_LIMITED", ENCODER.encode(told), 0)

    def _news(self, kind: str, data: bytes, weight: int = 1) -> None:
        self._outbox.news(Letter(kind, data, weight, subscription=self.subscription_id))

    def refresh(self) -> None:
        """Say all that is known again, after something was missed or at the beginning."""
        if self.feed is not None and (snapshot := self.feed.snapshot()):
            self.take(snapshot)

    def ended(self, error: DSMILError) -> None:
        """The feed is over."""
        self._tell_end(self.subscription_id, error)

    def close(self) -> None:
        """Send nothing more, nor what waits to be sent."""
        if self._timer is not None:
            self._timer.cancel()
        self._outbox.forget_subscription(self.subscription_id)
