"""Past: what simulated devices held before the simulator began, worked out when it is asked."""

from __future__ import annotations

from collections.abc import Iterator

from dsmilctl.clock import NANOSECONDS
from dsmilctl.drivers.contract import Answer
from dsmilctl.drivers.sim.failures import Failure, planted
from dsmilctl.drivers.sim.options import SimOptions
from dsmilctl.drivers.sim.registers import POSITIONS
from dsmilctl.drivers.sim.signals import Signals
from dsmilctl.errors import NetworkError
from dsmilctl.model.device import Device, show_id
from dsmilctl.model.register import Register

DAY = 86_400 * NANOSECONDS


class Past:
    """The days before a moment: the signals that a reader would have met, with failures planted in them.

    One value of each register every `past_interval` seconds.  Nothing was written to a device then.
    """

    def __init__(self, options: SimOptions, end: int) -> None:
        self._options = options
        self.begin = end - round(options.past_days * DAY)
        self.end = end
        self._step = round(options.past_interval * NANOSECONDS)

    def values(
        self, device: Device, register: Register, since: int | None, until: int | None
    ) -> Iterator[tuple[int, Answer]]:
        """Times in nanoseconds with what was read then, both ends included, oldest first."""
        first = self.begin if since is None else max(self.begin, since)
        last = self.end - 1 if until is None else min(self.end - 1, until)
        number, place = device.device_id, POSITIONS[register.name]
        if first > last or not isinstance(number, int):
            return
        state = self._signals().state
        for begin, end, failure in self._stretches(number, first, last):
            moments = range(-(-begin // self._step) * self._step, end + 1, self._step)
            if failure is None:
                for moment in moments:
                    yield moment, state(number, moment / NANOSECONDS)[place]
                continue
            for moment in moments:
                if failure.silent(moment):
                    yield moment, NetworkError(f"connection to {show_id(number)} refused (simulated)")
                else:
                    yield moment, failure.on(state(number, moment / NANOSECONDS), moment)[place]

    def _signals(self) -> Signals:
        """Signals of its own for each question: they remember what they computed last."""
        options = self._options
        return Signals(options.seed, options.period, options.layout, lambda device_id: None)

    def _stretches(self, number: int, first: int, last: int) -> Iterator[tuple[int, int, Failure | None]]:
        """The time from first to last, cut where a failure of the device begins or ends."""
        options = self._options
        for failure in planted(options.seed, options.devices, options.layout, first, last):
            if failure.device_id != number or failure.end <= first:
                continue
            if first < failure.begin:
                yield first, failure.begin - 1, None
            begin, first = max(first, failure.begin), failure.end
            yield begin, min(failure.end - 1, last), failure
        if first <= last:
            yield first, last, None
