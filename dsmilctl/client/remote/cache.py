"""Cache: readings that were had a moment ago.  Whoever changes a device drops what is kept of it."""

from __future__ import annotations

from collections import OrderedDict

from dsmilctl.client.remote.answers import aged
from dsmilctl.client.remote.results import OperationResult
from dsmilctl.clock import Clock
from dsmilctl.model.device import DeviceId

Key = tuple[DeviceId, str, int | None, int | None]


class Cache:
    """Good readings of the last `ttl` seconds, at most `size`; each comes out with its age."""

    def __init__(self, clock: Clock, *, ttl: float, size: int) -> None:
        self._clock = clock
        self._kept: OrderedDict[Key, tuple[float, OperationResult]] = OrderedDict()
        self._era = 0
        self.ttl = ttl
        self.size = size
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def hit_rate(self) -> float:
        """Which part of the reads was answered from here, 0 to 1."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0

    @property
    def era(self) -> int:
        """A number that changes whenever something is dropped."""
        return self._era

    def get(self, key: Key) -> OperationResult | None:
        """What is kept, with its age; None for what is not or is too old."""
        if self.ttl <= 0:
            return None
        found = self._kept.get(key)
        age = self._clock.monotonic() - found[0] if found else 0.0
        if found is None or age > self.ttl:
            self._kept.pop(key, None)
            self.misses += 1
            return None
        self._kept.move_to_end(key)
        self.hits += 1
        return aged(found[1], age)

    def put(self, key: Key, result: OperationResult, era: int) -> None:
        """Keep a good reading asked for in `era`: one asked for before a change is not kept after it."""
        if self.ttl <= 0 or era != self._era or not result.success or result.quality != "good":
            return
        self._kept[key] = (self._clock.monotonic(), result)
        self._kept.move_to_end(key)
        while len(self._kept) > self.size:
            self._kept.popitem(last=False)

    def drop(self, device_id: DeviceId | None = None) -> None:
        """Forget one device, or everything."""
        self._era += 1
        for key in [key for key in self._kept if device_id is None or key[0] == device_id]:
            del self._kept[key]
