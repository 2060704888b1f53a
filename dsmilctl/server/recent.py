"""Recent: the last reads of each device.  The journal holds changes and refusals; a read is no evidence."""

from __future__ import annotations

from collections import OrderedDict, deque

from dsmilctl.clock import rfc3339
from dsmilctl.model.device import DeviceId
from dsmilctl.wire.operations import OperationAnswer

KEPT = 50
"""Reads of one device."""
MOST_DEVICES = 1000


class RecentReads:
    """What was read since the server began, in memory; the device read longest ago makes room."""

    def __init__(self) -> None:
        self._reads: OrderedDict[DeviceId, deque[OperationAnswer]] = OrderedDict()

    def keep(self, answer: OperationAnswer) -> None:
        """Keep the answer to a read."""
        reads = self._reads.get(answer.device_id)
        if reads is None:
            reads = self._reads[answer.device_id] = deque(maxlen=KEPT)
            if len(self._reads) > MOST_DEVICES:
                self._reads.popitem(last=False)
        else:
            self._reads.move_to_end(answer.device_id)
        reads.append(answer)

    def of(
        self, device_id: DeviceId, since: int | None = None, until: int | None = None
    ) -> list[OperationAnswer]:
        """The reads of a device, newest first; `since` and `until` in nanoseconds."""
        first = "" if since is None else rfc3339(since)
        last = "9999" if until is None else rfc3339(until)
        reads = self._reads.get(device_id, ())
        return [answer for answer in reversed(reads) if first <= answer.timestamp <= last]
