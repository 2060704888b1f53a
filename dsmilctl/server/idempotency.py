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

KEPT_SECONDS = 24 * 3600.0
MOST_KEYS = 10_000
LONGEST_KEY = 255


class _Kept(msgspec.Struct, frozen=True):
    digest: str
    at: float
    answer: asyncio.Future[Response]


class Idempotency:
    """The answers of the last 24 hours by user and key; also of requests that are still running."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

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
        if known := self._kept.get((user, key)):
            if known.digest != digest:
                raise Conflict("this Idempotency-Key was used with another request", target=key)
            first = await asyncio.shield(known.answer)
            return Response(
                first.body, first.status_code, dict(first.headers) | {"Idempotent-Replay": "true"}
            )
        return await self._first(user, key, digest, run)

    async def _first(
        self, user: str, key: str, digest: str, run: Callable[[], Awaitable[Response]]
    ) -> Response:
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._kept[user, key] = _Kept(digest, self._clock.monotonic(), future)
        try:
            response = await run()
        except BaseException as error:
            if not getattr(error, "is_outcome", False):
                self._kept.pop((user, key), None)
            future.set_exception(error)
            future.exception()  # whoever waits hears it; nobody may be waiting
            raise
        if response.status_code >= 500:
            self._kept.pop((user, key), None)
        future.set_result(response)
        return response

    def _forget_old(self) -> None:
        oldest = self._clock.monotonic() - KEPT_SECONDS
        while self._kept and (len(self._kept) > MOST_KEYS or next(iter(self._kept.values())).at < oldest):
            self._kept.popitem(last=False)
