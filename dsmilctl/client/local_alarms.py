"""Local alarms: the part of a local client that watches its fleet, tells of alarms and answers them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dsmilctl.client.local_reads import Reads
from dsmilctl.errors import DeviceNotFound, InvalidParameter, NotFound, StateUnavailable
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.guard.guard import Guard
from dsmilctl.model.identity import Identity

if TYPE_CHECKING:
    from dsmilctl.fleet.alarms import Alarms
    from dsmilctl.model.alarm import Alarm, AlarmQuery, AlarmState

SHELF = 3600.0
"""Seconds that an alarm is shelved for where nothing else is said."""
SHORTEST_SHELF, LONGEST_SHELF = 1.0, 86_400.0
"""Seconds: a shelf is no way to switch an alarm off."""


class WatchedAlarms:
    """The part of a local client that answers for alarms; `alarm_file` is where they are kept."""

    alarm_file: Path
    identity: Identity
    reads: Reads
    _fleet: Fleet
    _guard: Guard

    @asynccontextmanager
    async def watch_alarms(self, interval: float) -> AsyncIterator[None]:
        """Watch the fleet while the block runs; `interval` as of AlarmWatch, in seconds."""
        from dsmilctl.fleet.alarm_file import AlarmFile
        from dsmilctl.fleet.alarm_watch import AlarmWatch
        from dsmilctl.fleet.alarms import Alarms

        fleet, file = self._fleet, AlarmFile(self.alarm_file)
        fleet.alarms = Alarms(fleet.bus.events.send, file.load(), fleet.clock)
        watch = AlarmWatch(fleet, fleet.alarms, file, interval)
        fleet.alarms.save = watch.save
        async with watch.running():
            yield

    @property
    def _alarms(self) -> Alarms:
        if self._fleet.alarms is None:
            raise StateUnavailable("nobody watches this fleet for alarms", hint="dsmilctl serve FLEET")
        return self._fleet.alarms

    async def alarms(self, query: AlarmQuery) -> tuple[list[Alarm], int]:
        """The alarms wanted of devices that this identity may read, and how many there are in all."""
        found = [
            alarm
            for alarm in self._alarms.all()
            if (not query.states or alarm.state in query.states)
            and (not query.priorities or alarm.priority in query.priorities)
            and (not query.device_ids or alarm.device_id in query.device_ids)
        ]
        known = await self._fleet.all()
        devices = {
            alarm.device_id: known[alarm.device_id].device for alarm in found if alarm.device_id in known
        }
        refused = await self.reads.refused(list(devices.values()))
        allowed = {key for key, device in devices.items() if device.shown_id not in refused}
        found = [alarm for alarm in found if alarm.device_id in allowed]
        end = query.offset + query.limit if query.limit else None
        return found[query.offset : end], len(found)

    def alarm_counts(self) -> Mapping[AlarmState, int]:
        """How many alarms there are in each state, whoever may see them."""
        return {} if self._fleet.alarms is None else self._fleet.alarms.counts()

    async def answer_alarm(
        self, alarm_id: str, verb: str, *, justification: str = "", seconds: float | None = None
    ) -> Alarm:
        """Do one of VERBS to an alarm, through the guard; the alarm behind it.

        Raises NotFound, Conflict where its state does not allow that, and every refusal of a write.  To
        shelve it, for `seconds`, always takes a justification.
        """
        from dsmilctl.model.alarm import VERBS, AlarmEvent, after

        event = VERBS[verb]
        shelving = event is AlarmEvent.SHELVE
        if seconds is not None and not (shelving and SHORTEST_SHELF <= seconds <= LONGEST_SHELF):
            hint = f"{SHORTEST_SHELF:g} to {LONGEST_SHELF:g}, to shelve an alarm"
            raise InvalidParameter(f"seconds cannot be {seconds:g}", hint=hint, target="seconds")
        alarms = self._alarms
        alarm = alarms.get(alarm_id)
        try:
            device = (await self._fleet.managed(alarm.device_id)).device
        except DeviceNotFound:
            raise NotFound(f"no alarm {alarm_id!r}: its device is gone", target=alarm_id) from None
        until = alarms.shelf(seconds or SHELF) if shelving else 0

        async def act() -> Alarm:
            done = alarms.respond(alarm_id, event, self.identity.user, until=until)
            await alarms.save()
            return done

        said: dict[str, object] = {
            "alarm": alarm_id,
            "state": alarm.state.value,
            "justification": justification,
            "seconds": (seconds or SHELF) if shelving else None,
        }
        return await self._guard.respond(
            f"alarm.{event.lower()}", device, said, act,
            permit=lambda: after(alarm, event), justification=justification, always=shelving,
        )  # fmt: skip
