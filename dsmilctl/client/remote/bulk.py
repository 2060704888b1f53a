"""Bulk: many operations as one call, however many the server takes at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

import msgspec

from dsmilctl.client.remote.answers import GOOD, merged
from dsmilctl.client.remote.api import Api
from dsmilctl.errors import DSMILError, InvalidParameter, NetworkError, Refused
from dsmilctl.wire.operations import BulkAnswer, BulkItem, BulkRequest, BulkSummary, OperationAnswer
from dsmilctl.wire.system import Capabilities

ALWAYS = 20
"""Operations that every server takes at once.  Source: the DSMIL API, version 2, capabilities."""

AT_ONCE = 4
"""Parts of a bulk that travel at the same time."""

GRACE = 2.0
"""Seconds that an answer may take on its way beyond the time that the bulk itself has."""


class Mode(msgspec.Struct, frozen=True, kw_only=True):
    """How a bulk runs: one after the other or in parallel, at most so many at once, within seconds."""

    sequential: bool = False
    max_concurrency: int = 0
    timeout: float | None = None
    justification: str = ""
    stop_on_first_error: bool = False
    dry_run: bool = False
    attempt: bool = False


def mode_of(execution_mode: str, max_concurrency: int | None, timeout: float | None) -> Mode:
    """The mode that the SDK's words name; raises InvalidParameter."""
    if execution_mode.casefold() not in ("parallel", "sequential"):
        message = f"execution_mode {execution_mode!r} is neither parallel nor sequential"
        raise InvalidParameter(message, target="execution_mode")
    sequential = execution_mode.casefold() == "sequential"
    return Mode(sequential=sequential, max_concurrency=max_concurrency or 0, timeout=timeout)


class Bulks:
    """The bulks of one client."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def run(self, items: Sequence[BulkItem], mode: Mode) -> BulkAnswer:
        """Every operation, in parts that the server takes; a part that fails as a whole fails its operations.

        Raises the error when every part fails.
        """
        begun = self._api.clock.monotonic()
        most = await self.limit(len(items))
        parts = [items[first : first + most] for first in range(0, len(items), most)]
        ends = None if mode.timeout is None else begun + mode.timeout
        way = self._in_order if mode.sequential else self._at_once
        answers = await way(parts, mode, ends)
        if len(answers) == 1 or not parts:
            return answers[0] if answers else merged([], 0.0)
        return merged(answers, (self._api.clock.monotonic() - begun) * 1000)

    async def limit(self, wanted: int) -> int:
        """How many operations the server takes at once."""
        session = self._api.session
        if wanted > ALWAYS and session.bulk_limit is None:
            await self._api.token()
        if wanted > ALWAYS and session.bulk_limit is None:
            found = await self._api.get("/system/capabilities", Capabilities)
            announced = found.rate_limits.get("bulk_operation_max_devices")
            session.bulk_limit = announced if isinstance(announced, int) and announced > 0 else ALWAYS
        return max(1, session.bulk_limit or ALWAYS)

    async def _in_order(
        self, parts: Sequence[Sequence[BulkItem]], mode: Mode, ends: float | None
    ) -> list[BulkAnswer]:
        answers: list[BulkAnswer] = []
        for part in parts:
            answers.append(await self._part(part, mode, ends, alone=len(parts) == 1))
            stopped = mode.stop_on_first_error and any(
                item.status not in GOOD for item in answers[-1].results
            )
            if stopped:
                done = sum(len(answer.results) for answer in answers)
                rest = [item for other in parts for item in other][done:]
                if rest:
                    answers.append(_not_begun(rest, "an earlier operation failed"))
                break
        return answers

    async def _at_once(
        self, parts: Sequence[Sequence[BulkItem]], mode: Mode, ends: float | None
    ) -> list[BulkAnswer]:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(part: Sequence[BulkItem]) -> BulkAnswer:
            async with places:
                return await self._part(part, mode, ends, alone=len(parts) == 1)

        return list(await asyncio.gather(*(one(part) for part in parts)))

    async def _part(
        self, part: Sequence[BulkItem], mode: Mode, ends: float | None, *, alone: bool
    ) -> BulkAnswer:
        """One request, in the time that is left; without any it is not made."""
        left = None if ends is None else ends - self._api.clock.monotonic()
        if left is not None and left <= 0:
            return _not_begun(part, "the time of the bulk was over")
        request = BulkRequest(
            operations=list(part),
            execution_mode="SEQUENTIAL" if mode.sequential else "PARALLEL",
            max_concurrency=mode.max_concurrency,
            timeout_ms=None if left is None else max(1, int(left * 1000)),
            justification=mode.justification,
            stop_on_first_error=mode.stop_on_first_error,
            dry_run=mode.dry_run,
            attempt=mode.attempt,
        )
        deadline = None if left is None else left + GRACE
        try:
            return await self._api.post("/operations/bulk", BulkAnswer, request, deadline=deadline)
        except DSMILError as error:
            if alone:
                raise
            return failed(part, error)


def failed(part: Sequence[BulkItem], error: DSMILError) -> BulkAnswer:
    """The part of a bulk that failed as a whole; whether its changes happened is then not known."""
    status = "TIMEOUT" if error.code in ("TIMEOUT", "NETWORK_ERROR", "PROTOCOL_ERROR") else "DENIED"
    if isinstance(error, NetworkError) and error.unsent:
        status = "FAILED"
    results = [
        OperationAnswer(
            operation_id=f"op-{os.urandom(8).hex()}",
            device_id=item.device_id,
            operation_type=item.operation_type,
            status=status,
            error=error.message,
            error_code=error.code,
            hint=error.hint,
        )
        for item in part
    ]
    return _of(results)


def _not_begun(part: Sequence[BulkItem], why: str) -> BulkAnswer:
    results = [
        OperationAnswer(
            operation_id=f"op-{os.urandom(8).hex()}",
            device_id=item.device_id,
            operation_type=item.operation_type,
            status="DENIED",
            error=f"not begun: {why}",
            error_code=Refused.code,
        )
        for item in part
    ]
    return _of(results)


def _of(results: list[OperationAnswer]) -> BulkAnswer:
    statuses = [result.status for result in results]
    none = BulkSummary(
        total=len(results),
        successful=0,
        failed=statuses.count("FAILED"),
        denied=statuses.count("DENIED"),
        timeouts=statuses.count("TIMEOUT"),
    )
    return BulkAnswer(
        bulk_operation_id=f"bulk-{os.urandom(6).hex()}",
        total_operations=len(results),
        status="FAILED",
        execution_time_ms=0.0,
        results=results,
        summary=none,
    )
