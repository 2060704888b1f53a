"""Rates: token buckets that every process of a user shares."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dsmilctl.clock import NANOSECONDS, SYSTEM, Clock
from dsmilctl.errors import RateLimitError
from dsmilctl.guard.files import FileLock, unavailable, write_all

_decoder = msgspec.json.Decoder(dict[str, int])


class Bucket(msgspec.Struct, frozen=True):
    """`capacity` operations at once, and so many again in every `per_seconds`, spread evenly."""

    capacity: int
    per_seconds: float


class Rates:
    """What is left in the buckets, in a small file (or in this process when `path` is None).

    Generic cell rate algorithm: of each key only one time is kept, that at which its bucket is full again.
    Source: ITU-T I.371, annex A.  A key's time is never further ahead than the bucket's own period, so a wall
    clock that is set back delays nobody longer than that.
    """

    def __init__(self, path: Path | None, clock: Clock = SYSTEM) -> None:
        self._path = path
        self._clock = clock
        self._full_at: dict[str, int] = {}

    @property
    def waits(self) -> bool:
        """Whether taking a token may wait for another process."""
        return self._path is not None

    def take(self, keys: Sequence[tuple[str, Bucket]]) -> None:
        """Take one token from every bucket, or none from any.

        Raises RateLimitError with `retry_after` in seconds if one is empty, StateUnavailable if the file
        cannot be written: a limit that cannot be counted must not be passed.
        """
        if self._path is None:
            self._full_at, refusal = self._attempt(self._full_at, keys)
        else:
            refusal = self._attempt_in_file(self._path, keys)
        if refusal is not None:
            raise refusal

    def rehearsal(self) -> Rates:
        """What is left now, in memory alone: what is taken from it is taken nowhere else.

        Raises StateUnavailable where a token could not be taken either.
        """
        copy = Rates(None, self._clock)
        copy._full_at = dict(self._full_at)
        if self._path is not None:
            with FileLock(self._path) as lock:
                try:
                    copy._full_at = _load(lock.descriptor)
                except OSError as error:
                    raise unavailable(
                        f"the rate limits cannot be read from {self._path}", error, self._path
                    ) from error
        return copy

    def _attempt_in_file(self, path: Path, keys: Sequence[tuple[str, Bucket]]) -> RateLimitError | None:
        with FileLock(path) as lock:
            try:
                after, refusal = self._attempt(_load(lock.descriptor), keys)
                _store(lock.descriptor, after)
            except OSError as error:
                raise unavailable(f"the rate limits cannot be counted in {path}", error, path) from error
        return refusal

    def _attempt(
        self, full_at: dict[str, int], keys: Sequence[tuple[str, Bucket]]
    ) -> tuple[dict[str, int], RateLimitError | None]:
        """The times afterwards, and the refusal if a bucket is empty (then only clamped times differ)."""
        now = self._clock.now()
        kept = {key: time for key, time in full_at.items() if time > now}
        for key, bucket in keys:
            if key in kept:
                kept[key] = min(kept[key], now + _period(bucket))
        taken = dict(kept)
        longest, refused = 0, ""
        for key, bucket in keys:
            taken[key] = max(taken.get(key, now), now) + _period(bucket) // max(bucket.capacity, 1)
            wait = taken[key] - now - (_period(bucket) if bucket.capacity > 0 else 0)
            if wait > longest:
                longest, refused = (
                    wait,
                    f"{key} may have no more than {bucket.capacity} in {bucket.per_seconds:g} s",
                )
        if not refused:
            return taken, None
        seconds = longest / NANOSECONDS
        hint = f"try again in {seconds:.3g} s"
        return kept, RateLimitError(f"too many operations: {refused}", retry_after=seconds, hint=hint)


def _period(bucket: Bucket) -> int:
    return round(bucket.per_seconds * NANOSECONDS)


def _load(descriptor: int) -> dict[str, int]:
    """The times in the file; none if it is new or a crash has left it cut short."""
    content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    try:
        return _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _store(descriptor: int, full_at: dict[str, int]) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    content = msgspec.json.encode(full_at)
    write_all(descriptor, content)
    os.ftruncate(descriptor, len(content))
