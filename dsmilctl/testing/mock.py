"""MockDSMILClient: the SDK's client over a server in memory that answers what a test has said."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.client.remote.exchange import Incoming, Outgoing
from dsmilctl.errors import DSMILError, ProtocolError, error_of
from dsmilctl.model.device import DeviceId
from dsmilctl.wire.auth import ApiCapabilities, Tokens, UserContext
from dsmilctl.wire.base import STATUSES, Envelope, Problem
from dsmilctl.wire.operations import BulkAnswer, BulkSummary, OperationAnswer, OperationResult
from dsmilctl.wire.values import device_id_of, from_wire, to_wire

READS = ("READ",)


class Call(msgspec.Struct, frozen=True):
    """One request that the client made."""

    method: str
    path: str
    body: Any


class MemoryTransport:
    """A server in memory: logins, devices' registers, and failures, as they were said."""

    def __init__(self) -> None:
        self.active = 0
        self.calls: list[Call] = []
        self.login: Callable[[], Tokens] | DSMILError = tokens
        self.values: dict[tuple[DeviceId, str], Any] = {}
        self.errors: dict[tuple[DeviceId, str], DSMILError] = {}
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}

    async def send(self, request: Outgoing, *, deadline: float) -> Incoming:
        """The answer that was said."""
        del deadline
        body = msgspec.json.decode(request.content) if request.content else None
        path = unquote(urlsplit(request.path).path).partition("/api/v2")[2] or request.path
        self.calls.append(Call(request.method, path, body))
        try:
            if said := self.answers.get((request.method, path)):
                return _json(said[1], said[0])
            return _json(self._answer(request.method, path, body))
        except DSMILError as error:
            problem = Problem(code=error.code, message=error.message, request_id="mock")
            retry_after = getattr(error, "retry_after", None)
            problem = msgspec.structs.replace(problem, retry_after=retry_after)
            return _json(Envelope(error=problem), STATUSES.get(error.code, 500))

    async def lines(self, request: Outgoing, *, patience: float) -> AsyncGenerator[str, None]:
        """No stream: a client asks instead."""
        del patience
        raise ProtocolError(f"no stream at {request.path} in memory")
        yield ""  # it is a generator like any other transport's

    async def close(self) -> None:
        """Nothing to close."""

    def _answer(self, method: str, path: str, body: Any) -> Any:
        if (method, path) == ("POST", "/auth/login"):
            if isinstance(self.login, DSMILError):
                raise self.login
            return self.login()
        if (method, path) == ("GET", "/monitoring/health"):
            return {"status": "healthy"}
        if (method, path) == ("POST", "/operations/bulk"):
            return self._bulk([self._item(item) for item in body["operations"]])
        parts = path.strip("/").split("/")
        if method == "POST" and parts[0] == "devices" and parts[-1] == "operations":
            return self._operation(device_id_of(parts[1]), body["operation_type"], body["operation_data"])
        message = f"nothing was said about {method} {path}"
        raise error_of("NOT_FOUND", message, hint="mock_answer")

    def _item(self, item: dict[str, Any]) -> OperationAnswer:
        device_id, kind = item["device_id"], item["operation_type"]
        try:
            return self._operation(device_id, kind, item["operation_data"])
        except DSMILError as error:
            return OperationAnswer(
                operation_id="op-mock",
                device_id=device_id,
                operation_type=kind,
                status="DENIED",
                error=error.message,
                error_code=error.code,
            )

    def _bulk(self, results: list[OperationAnswer]) -> BulkAnswer:
        good = sum(result.status == "SUCCESS" for result in results)
        summary = BulkSummary(
            total=len(results), successful=good, failed=0, denied=len(results) - good, timeouts=0
        )
        whole = "COMPLETED" if good == len(results) else "PARTIAL" if good else "FAILED"
        return BulkAnswer(
            bulk_operation_id="bulk-mock",
            total_operations=len(results),
            status=whole,
            execution_time_ms=0.0,
            results=results,
            summary=summary,
        )

    def _operation(self, device_id: DeviceId, kind: str, data: dict[str, Any]) -> OperationAnswer:
        names = data.get("registers") or [data.get("register") or "STATUS"]
        for key in ((device_id, names[0]), (device_id, "")):
            if key in self.errors:
                raise self.errors[key]
        results = [self._register(device_id, kind, name, data) for name in names]
        first = results[0]
        if len(results) > 1:
            first = msgspec.structs.replace(first, values=[msgspec.to_builtins(item) for item in results])
        return OperationAnswer(
            operation_id="op-mock", device_id=device_id, operation_type=kind, status="SUCCESS", result=first
        )

    def _register(self, device_id: DeviceId, kind: str, name: str, data: dict[str, Any]) -> OperationResult:
        if kind == "WRITE":
            self.values[device_id, name] = from_wire(data.get("value"))
        elif kind in READS and (device_id, name) not in self.values:
            message = f"nothing was said about {name} of {device_id}"
            raise error_of("DEVICE_NOT_FOUND", message, hint="mock_device_read")
        value = self.values.get((device_id, name))
        return OperationResult(data=to_wire(value), value=value, register=name)


def tokens(
    clearance: str = "SECRET",
    username: str = "mock",
    devices: tuple[DeviceId, ...] = tuple(range(0x8000, 0x8054)),
) -> Tokens:
    """The tokens of a login that went well."""
    return Tokens(
        access_token="mock-access-token",
        refresh_token="mock-refresh-token",
        expires_in=3600,
        user_context=UserContext(
            user_id=f"{username}_001",
            username=username,
            clearance_level=clearance,
            authorized_devices=list(devices),
        ),
        api_capabilities=ApiCapabilities(max_requests_per_minute=120, max_concurrent_operations=5),
    )


def _json(value: Any, status: int = 200) -> Incoming:
    headers = {"content-type": "application/json"}
    return Incoming(status=status, headers=headers, content=msgspec.json.encode(value))


class MockDSMILClient(DSMILClient):
    """A real client whose server is in memory.  What was not said is not there; writes are remembered."""

    def __init__(self, base_url: str = "http://mock.invalid", **settings: Any) -> None:
        self._memory = MemoryTransport()
        super().__init__(base_url, transport=self._memory, max_retries=0, **settings)

    @property
    def calls(self) -> list[Call]:
        """Every request so far."""
        return self._memory.calls

    def mock_authenticate(
        self,
        success: bool = True,
        clearance: str = "SECRET",
        *,
        username: str = "mock",
        requires_mfa: bool = False,
        error_code: str = "AUTHENTICATION_FAILED",
    ) -> None:
        """Have logins end so."""
        if success and not requires_mfa:
            self._memory.login = lambda: tokens(clearance, username)
        else:
            code = "MFA_REQUIRED" if requires_mfa else error_code
            self._memory.login = error_of(code, "refused, as the test wanted")

    def mock_device_read(self, device_id: DeviceId, register: str, value: Any) -> None:
        """Have a register read so."""
        self._memory.values[device_id, str(register)] = value

    def mock_device_error(
        self,
        device_id: DeviceId,
        error_code: str,
        register: str = "",
        message: str = "failed, as the test wanted",
    ) -> None:
        """Have every operation on a device, or on one register, fail with that code."""
        self._memory.errors[device_id, str(register)] = error_of(error_code, message)

    def mock_answer(self, method: str, path: str, body: Any, status: int = 200) -> None:
        """Have any request answered so; `path` is below `/api/v2`."""
        self._memory.answers[method.upper(), path] = (status, body)
