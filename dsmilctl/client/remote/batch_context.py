"""Batch context: operations that are collected first and travel together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any

from dsmilctl.client.remote.names import BulkOperation
from dsmilctl.client.remote.results import BulkResult
from dsmilctl.model.device import DeviceId

Execute = Callable[[Sequence[BulkOperation], str], Awaitable[BulkResult]]


class BatchContext:
    """Operations in the order in which they were added.  What was not executed when it ends is not sent."""

    def __init__(self, execute: Execute, justification: str) -> None:
        self._execute = execute
        self._justification = justification
        self._operations: list[BulkOperation] = []

    def __len__(self) -> int:
        return len(self._operations)

    def add_read(
        self,
        device_id: DeviceId,
        register: str = "STATUS",
        *,
        offset: int | None = None,
        length: int | None = None,
    ) -> None:
        """Read a register."""
        self.add(
            BulkOperation(
                device_id=device_id, operation="read", register=register, offset=offset, length=length
            )
        )

    def add_write(self, device_id: DeviceId, register: str, data: Any, justification: str = "") -> None:
        """Write a register."""
        self.add(
            BulkOperation(
                device_id=device_id,
                operation="write",
                register=register,
                data=data,
                justification=justification,
            )
        )

    def add(self, operation: BulkOperation) -> None:
        """Any operation."""
        self._operations.append(operation)

    async def execute(self) -> BulkResult:
        """Send what was added since the last time; each operation ends on its own."""
        operations, self._operations = self._operations, []
        return await self._execute(operations, self._justification)

    async def __aenter__(self) -> BatchContext:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._operations.clear()
