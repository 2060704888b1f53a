"""Idempotency keys: the same key and body gives the first answer again, another body a conflict."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec
from starlette.responses import Response

from dsmilctl.clock import Clock
from dsmilctl.errors import Conflict, InvalidParameter
from dsmilctl.wire.operations import BulkItem, BulkRequest, OperationRequest

KEPT_SECONDS = 24 * 3600.0
MOST_KEYS, MOST_BYTES = 10_000, 64 << 20
MOST_KEYS_PER_USER, MOST_BYTES_PER_USER = 1_000, 8 << 20
"""Answers that are kept, and the bytes of their bodies; of a user beyond it only the own oldest make room."""
LONGEST_KEY = 255

_Place = tuple[str, str]
"""User and key."""


class _Kept(msgspec.Struct, frozen=True):
    digest: str
    answer: asyncio.Future[Response]


class _Ended(msgspec.Struct, frozen=True):
    kept: _Kept
    at: float
    size: int


class _Share:
    """What one user takes of the memory: the keys, the oldest first, and bytes."""

    __slots__ = ("keys", "size")

    def __init__(self) -> None:
        self.keys: OrderedDict[str, None] = OrderedDict()
        self.size = 0


class Idempotency:
    """The answers of the last 24 hours by user and key; also of requests that are still running.

    Only answers make room for others: what still runs is never forgotten, or it could happen twice.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: dict[_Place, _Kept] = {}
        self._ended: OrderedDict[_Place, _Ended] = OrderedDict()
        self._shares: dict[str, _Share] = {}
        self._size = 0

    async def once(
        self, user: str, key: str, content: bytes, run: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Run, or give the first answer again; raises Conflict for the same key with another body.

        A failure of the server itself (5xx) and a refusal are not kept: they may be tried again.  How an
        operation ended that the device was told of is kept, also when it failed: it must not happen twice.
        """
        if not key.isprintable() or len(key) > LONGEST_KEY:
            raise InvalidParameter("malformed Idempotency-Key", target="Idempotency-Key")
        digest = hashlib.sha256(content).hexdigest()
        self._forget_old()
        if known := self._known((user, key)):
            if known.digest != digest:
                raise Conflict("this Idempotency-Key was used with another request", target=key)
            first = await asyncio.shield(known.answer)
            return Response(
                first.body, first.status_code, dict(first.headers) | {"Idempotent-Replay": "true"}
            )
        return await self._first((user, key), digest, run)

    def _known(self, place: _Place) -> _Kept | None:
        ended = self._ended.get(place)
        return ended.kept if ended else self._running.get(place)

    async def _first(self, place: _Place, digest: str, run: Callable[[], Awaitable[Response]]) -> Response:
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        kept = self._running[place] = _Kept(digest, future)
        try:
            response = await run()
        except BaseException as error:
            if getattr(error, "is_outcome", False):
                self._keep(place, kept, 0)
            future.set_exception(error)
            future.exception()  # whoever waits hears it; nobody may be waiting
            raise
        finally:
            del self._running[place]
        if response.status_code < 500:
            self._keep(place, kept, len(response.body))
        future.set_result(response)
        return response

    def _keep(self, place: _Place, kept: _Kept, size: int) -> None:
        """Keep an answer; the oldest of the same user make room first, then the oldest of all."""
        user, key = place
        share = self._shares.setdefault(user, _Share())
        self._ended[place] = _Ended(kept, self._clock.monotonic(), size)
        share.keys[key] = None
        share.size += size
        self._size += size
        while len(share.keys) > MOST_KEYS_PER_USER or share.size > MOST_BYTES_PER_USER:
            self._forget((user, next(iter(share.keys))))
        while len(self._ended) > MOST_KEYS or self._size > MOST_BYTES:
            self._forget(next(iter(self._ended)))

    def _forget(self, place: _Place) -> None:
        user, key = place
        share, ended = self._shares[user], self._ended.pop(place)
        del share.keys[key]
        share.size -= ended.size
        self._size -= ended.size
        if not share.keys:
            del self._shares[user]

    def _forget_old(self) -> None:
        oldest = self._clock.monotonic() - KEPT_SECONDS
        while self._ended and next(iter(self._ended.values())).at < oldest:
            self._forget(next(iter(self._ended)))


def only_reads(body: object) -> bool:
    """Whether a body asks for reads and nothing else, which may happen twice: their answers are not kept.

    A read by an approval is none of them: the approval is good for once.
    """
    if isinstance(body, BulkRequest):
        return all(only_reads(item) for item in body.operations)
    if isinstance(body, OperationRequest | BulkItem):
        return body.operation_type == "READ" and not body.approval_id
    return False
