"""Alarms: the book of what is wrong in a fleet and what people have done about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from dsmilctl.clock import NANOSECONDS, SYSTEM, Clock
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import NotFound
from dsmilctl.fleet.finding import Finding, bad_value, beyond
from dsmilctl.fleet.thresholds import Threshold, calm, critical_limits, number_of, thresholds_of
from dsmilctl.model.alarm import LATCHING, Alarm, AlarmEvent, AlarmState, Condition, after, alarm_id_of
from dsmilctl.model.device import DeviceId, DeviceState
from dsmilctl.model.event import Event, Severity
from dsmilctl.model.reading import Quality, Reading
from dsmilctl.model.register import Register

SEVERITIES = (Severity.WARNING, Severity.WARNING, Severity.ERROR, Severity.CRITICAL)
"""How urgent the event is that tells of a new alarm, by its priority."""
NUMBERS = (int, float)


Limits = tuple[tuple[Threshold, ...], float, float]
"""The thresholds of a register, and between which values none of them is touched."""


class Point:
    """One register with limits.

    `alarmed` is whether an alarm about it may be in the book, `heard` the round of the watch in which
    somebody read it last.
    """

    __slots__ = ("alarmed", "heard", "least", "managed", "most", "register", "thresholds")

    def __init__(self, managed: Managed, register: Register, limits: Limits) -> None:
        self.managed = managed
        self.register = register
        self.thresholds, self.least, self.most = limits
        self.alarmed = False
        self.heard = -1


class Alarms:
    """The alarms of one fleet that are not normal.  Quarantined devices, which nobody may read, have none.

    `announce` is told of every change of a state; `kept` are those of an earlier process; `unsaved` is
    whether anything changed since they were saved.
    """

    save: Callable[[], Awaitable[None]]
    """Keeps what is unsaved; set by the watch."""

    def __init__(
        self, announce: Callable[[Event], None], kept: Iterable[Alarm] = (), clock: Clock = SYSTEM
    ) -> None:
        self.round = 0
        self.unsaved = False
        self.points: Mapping[tuple[DeviceId, str], Point] = {}
        self._announce = announce
        self._clock = clock
        self._alarms = {alarm.id: alarm for alarm in kept}

    def know(self, devices: Collection[Managed], *, complete: bool = True) -> None:
        """Take these devices for the fleet; where they are `complete`, alarms of all others end."""
        self.points = _points_of(devices)
        there = {managed.device.device_id for managed in devices}
        for alarm in tuple(self._alarms.values()):
            if complete and alarm.device_id not in there:
                del self._alarms[alarm.id]
                self.unsaved = True
            elif point := self.points.get((alarm.device_id, alarm.register)):
                point.alarmed = True

    def take(self, readings: Iterable[Reading]) -> None:
        """Hold readings against the limits of their registers.  Most are calm, and there are many of them."""
        points, now = self.points, self.round
        for reading in readings:
            point = points.get((reading.device_id, reading.register))
            if point is None:
                continue
            point.heard = now
            value = reading.value
            if (
                point.alarmed
                or reading.quality is not Quality.GOOD
                or type(value) not in NUMBERS
                or not point.least <= value < point.most  # type: ignore[operator] # it is a number
            ):
                self._judge(point, reading)

    def _judge(self, point: Point, reading: Reading) -> None:
        found = list(self._findings(point, reading))
        for finding in found:
            self._note(finding)
        if found:
            point.alarmed = any(finding.alarm_id in self._alarms for finding in found)

    def _findings(self, point: Point, reading: Reading) -> Iterator[Finding]:
        """What a reading says; one without a value, of a device that does not answer, says nothing."""
        device, register = point.managed.device, point.register
        bad = bad_value(device, register, reading)
        value = number_of(reading.value)
        if bad.holds or reading.quality is Quality.GOOD:
            yield bad
        if reading.quality is Quality.GOOD and value is not None:
            for threshold in point.thresholds:
                known = self._alarms.get(alarm_id_of(device.device_id, register.name, threshold.condition))
                before = known is not None and known.active
                yield beyond(device, register, threshold, value, before=before)

    def look(self, managed: Managed) -> None:
        """Note whether a device is in ERROR; that ends when it answers again, not while it is tried anew."""
        failed = managed.state is DeviceState.ERROR
        if managed.device.quarantined or not (failed or (managed.connected and not managed.failures)):
            return
        reason = managed.reason if failed else f"{managed.device.shown_id} answers again"
        self._note(Finding(device=managed.device, condition=Condition.ERROR, holds=failed, reason=reason))

    def look_at_all(self, devices: Mapping[DeviceId, Managed]) -> None:
        """Note which devices are in ERROR and which no longer; of ten thousand most are neither."""
        failing = {alarm.device_id for alarm in self._alarms.values() if alarm.condition is Condition.ERROR}
        for device_id, managed in devices.items():
            if managed.state is DeviceState.ERROR or device_id in failing:
                self.look(managed)

    def _note(self, finding: Finding) -> None:
        known = self._alarms.get(finding.alarm_id)
        if finding.holds is (known is not None and known.active):
            return
        facts: dict[str, Any] = {
            "active": finding.holds,
            "value": finding.value,
            "limit": finding.limit,
            "message": finding.message(),
        }
        self._happen(known or finding.normal(), finding.event, **facts)

    def respond(self, alarm_id: str, event: AlarmEvent, user: str, *, until: int = 0) -> Alarm:
        """What a person does; the alarm behind it.  Raises NotFound, and Conflict in another state.

        `until` is when a shelved alarm comes back, in nanoseconds UTC.
        """
        alarm = self.get(alarm_id)
        if event is AlarmEvent.UNSHELVE:
            after(alarm, event)
            return self._unshelve(alarm)
        if event is AlarmEvent.SHELVE:
            return self._happen(alarm, event, shelved_by=user, shelved_until=until)
        return self._happen(alarm, event, acknowledged_by=user)

    def expire(self) -> None:
        """Bring back what was shelved for long enough."""
        now = self._clock.now()
        for alarm in tuple(self._alarms.values()):
            if alarm.state is AlarmState.SHELVED and alarm.shelved_until <= now:
                self._unshelve(alarm)

    def _unshelve(self, alarm: Alarm) -> Alarm:
        """As if it happened now: what holds is raised anew, and what latches is still to be reset."""
        events, latching = [AlarmEvent.UNSHELVE], alarm.condition in LATCHING
        if alarm.active or latching:
            events.append(AlarmEvent.RAISE)
        if latching and not alarm.active:
            events.append(AlarmEvent.LATCH)
        return self._happen(alarm, *events, shelved_by="", shelved_until=0)

    def _happen(self, alarm: Alarm, *events: AlarmEvent, **facts: Any) -> Alarm:
        """Take an alarm through events, and tell of it where its state is another one then."""
        found = alarm
        for event in events:
            state = after(found, event)
            anew = {"acknowledged_by": ""} if event is AlarmEvent.RAISE and state is not found.state else {}
            found = msgspec.structs.replace(found, state=state, **anew)
        if found.state is not alarm.state:
            facts["since"] = self._clock.now()
        found = msgspec.structs.replace(found, **facts)
        if found.state is AlarmState.NORMAL:
            self._alarms.pop(found.id, None)
        else:
            self._alarms[found.id] = found
        self.unsaved = True
        if found.state is not alarm.state:
            self._tell(found)
        return found

    def _tell(self, alarm: Alarm) -> None:
        raised = alarm.state is AlarmState.UNACKNOWLEDGED
        severity = SEVERITIES[alarm.priority] if raised else Severity.INFO
        message = f"{alarm.id} {alarm.state}: {alarm.message}"
        self._announce(Event("alarm.state", message, alarm.since, severity, alarm.device_id))

    def get(self, alarm_id: str) -> Alarm:
        """One alarm; raises NotFound for one that is normal, or that there is not."""
        self.expire()
        if alarm_id not in self._alarms:
            raise NotFound(f"no alarm {alarm_id!r}", hint="GET /api/v2/alarms", target=alarm_id)
        return self._alarms[alarm_id]

    def all(self) -> list[Alarm]:
        """Every alarm that is not normal, the most urgent first and then the newest."""
        self.expire()
        return sorted(self._alarms.values(), key=lambda alarm: (-alarm.priority, -alarm.since, alarm.id))

    def counts(self) -> Counter[AlarmState]:
        """How many there are in each state."""
        return Counter(alarm.state for alarm in self._alarms.values())

    def shelf(self, seconds: float) -> int:
        """When a shelf of so many seconds ends, in nanoseconds UTC."""
        return self._clock.now() + round(seconds * NANOSECONDS)


def _points_of(devices: Iterable[Managed]) -> dict[tuple[DeviceId, str], Point]:
    """Devices of one model share their registers: of ten thousand only a few limits are worked out."""
    known: dict[tuple[int, float | None], Limits] = {}
    found: dict[tuple[DeviceId, str], Point] = {}
    for managed in devices:
        device = managed.device
        critical = critical_limits(device)
        for register in () if device.quarantined else device.registers:
            key = (id(register), critical.get(register.name))
            if key not in known:
                thresholds = thresholds_of(register, key[1])
                known[key] = (thresholds, *calm(thresholds))
            if known[key][0]:
                found[device.device_id, register.name] = Point(managed, register, known[key])
    return found
