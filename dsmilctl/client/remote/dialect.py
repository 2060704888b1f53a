"""Dialect: version 1.0 of the API, as far as it has an equivalent, spoken below the client's calls.

Source: the original web back end's routes (status, devices, operations, emergency stop, health).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from dsmilctl.client.remote.exchange import Incoming, Outgoing, Transport
from dsmilctl.client.remote.failures import bad_body, error_in
from dsmilctl.errors import DSMILError, InvalidParameter, NotFound, OperationTimeout, Unreachable, error_of
from dsmilctl.wire.base import STATUSES, Envelope, Problem
from dsmilctl.wire.values import device_id_of, from_wire

NEW = "/api/v2"
OLD = "/api/v1"
REPEATED = "READ"
_HEX = re.compile(r"[0-9A-Fa-f]{1,16}")
LOGIN_HINT = "authenticate_token with a bearer token that its operator issued"


class OldDialect:
    """A transport that translates what the client asks into version 1.0, and the answers back."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def active(self) -> int:
        """Requests under way."""
        return self._transport.active

    async def send(self, request: Outgoing, *, deadline: float) -> Incoming:
        """The answer, as version 2 would give it."""
        speaker = _Speaker(self._transport, request, deadline)
        try:
            return _json(await speaker.answer())
        except Unreachable:
            raise
        except DSMILError as error:
            if not hasattr(error, "request_id") and isinstance(error, OperationTimeout):
                raise
            problem = Problem(code=error.code, message=error.message, details={"hint": error.hint})
            retry_after = getattr(error, "retry_after", None)
            return _json(
                Envelope(error=msgspec.structs.replace(problem, retry_after=retry_after)),
                STATUSES.get(error.code, 500),
            )

    async def lines(self, request: Outgoing, *, patience: float) -> AsyncGenerator[str, None]:
        """Version 1.0 has no streams of events; raises NotFound."""
        del patience
        raise NotFound(f"API 1.0 has no {urlsplit(request.path).path}", hint="it can be asked instead")
        yield ""  # it is a generator like any other transport's

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.close()


class _Speaker:
    """One request on its way through the translation."""

    def __init__(self, transport: Transport, request: Outgoing, deadline: float) -> None:
        self._transport = transport
        self._request = request
        self._deadline = deadline
        parts = urlsplit(request.path)
        self._path = parts.path.removeprefix(NEW)
        self._query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self._body: Any = msgspec.json.decode(request.content) if request.content else {}

    async def answer(self) -> Any:
        """The answer's body in the words of version 2; raises the error."""
        known = {
            ("POST", "/auth/login"): self._login,
            ("GET", "/system/status"): self._status,
            ("GET", "/system/capabilities"): self._capabilities,
            ("GET", "/monitoring/health"): self._health,
            ("GET", "/devices"): self._devices,
            ("POST", "/operations/bulk"): self._bulk,
            ("POST", "/emergency/stop"): self._stop,
        }
        if speak := known.get((self._request.method, self._path)):
            return await speak()
        parts = self._path.strip("/").split("/")
        if self._request.method == "GET" and len(parts) == 2 and parts[0] == "devices":
            return await self._device(parts[1])
        if self._request.method == "POST" and parts[0] == "devices" and parts[-1] == "operations":
            return await self._operation(
                device_id_of(parts[1]), self._body, self._body.get("justification", "")
            )
        raise NotFound(f"API 1.0 has no {self._path}", hint="api_version 2.0 has", target=self._path)

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        content = b"" if body is None else msgspec.json.encode(body)
        request = msgspec.structs.replace(self._request, method=method, path=path, content=content)
        answer = await self._transport.send(request, deadline=self._deadline)
        if (error := error_in(answer)) is not None:
            raise error
        try:
            return msgspec.json.decode(answer.content)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise bad_body(answer, str(error)) from None

    async def _login(self) -> Any:
        """Version 1.0 has no login: a token that somebody else issued is used as it is."""
        if self._body.get("grant") != "service_token":
            raise error_of("AUTHENTICATION_FAILED", "API 1.0 has no login", hint=LOGIN_HINT)
        token = self._body["service_token"]
        claims = claims_of(token)
        return {
            "access_token": token,
            "refresh_token": "",
            "expires_in": 1800,
            "user_context": {
                "user_id": str(claims.get("sub", "")),
                "username": str(claims.get("username", "")),
                "clearance_level": str(claims.get("clearance", "UNCLASSIFIED")),
                "authorized_devices": list(claims.get("authorized_devices", ())),
                "all_devices": "authorized_devices" not in claims,
                "permissions": list(claims.get("permissions", ())),
                "compartment_access": list(claims.get("compartments", ())),
            },
            "api_capabilities": {"max_requests_per_minute": 100, "max_concurrent_operations": 1},
        }

    async def _status(self) -> Any:
        found = await self._ask("GET", f"{OLD}/system/status")
        quarantined = found.get("quarantined_devices", 0)
        security = found.get("security_status", {})
        return {
            "timestamp": str(found.get("timestamp", "")),
            "overall_status": found.get("overall_status", ""),
            "api_version": "1.0",
            "server_capabilities": {},
            "device_summary": {
                "total_devices": found.get("device_count", 0),
                "active_devices": found.get("active_devices", 0),
                "quarantined_devices": len(quarantined) if isinstance(quarantined, list) else quarantined,
            },
            "security_status": {"threat_level": str(security.get("threat_level", ""))},
            "performance_metrics": {
                name: value
                for name, value in found.get("performance_metrics", {}).items()
                if isinstance(value, int | float)
            },
        }

    async def _capabilities(self) -> Any:
        return {
            "api_version": "1.0",
            "supported_operations": ["DEVICE_READ", "DEVICE_WRITE"],
            "client_sdks": {},
            "rate_limits": {},
        }

    async def _health(self) -> Any:
        return {"status": (await self._ask("GET", "/health")).get("status", "unknown")}

    async def _devices(self) -> Any:
        asked = self._query.get("include_quarantined", "false")
        found = [
            _device(item) for item in await self._ask("GET", f"{OLD}/devices?include_quarantined={asked}")
        ]
        chosen = [item for item in found if self._wanted(item)]
        offset, limit = int(self._query.get("offset", 0)), int(self._query.get("limit", 50))
        part = chosen[offset : offset + limit]
        return {
            "devices": part,
            "pagination": {
                "total": len(chosen),
                "returned": len(part),
                "offset": offset,
                "has_more": offset + len(part) < len(chosen),
            },
            "meta": {
                "accessible_devices": sum(not item["is_quarantined"] for item in found),
                "quarantined_devices": sum(item["is_quarantined"] for item in found),
                "user_authorized_devices": len(found),
            },
        }

    def _wanted(self, device: Mapping[str, Any]) -> bool:
        if device["is_quarantined"] and self._query.get("include_quarantined") != "true":
            return False
        risk, group = self._query.get("risk_level"), self._query.get("device_group")
        active = self._query.get("status")
        return (
            (not risk or device["risk_level"] == risk.replace("MODERATE", "MEDIUM"))
            and (not group or str(device["device_group"]) == group)
            and (not active or device["is_active"] == (active == "ACTIVE"))
        )

    async def _device(self, text: str) -> Any:
        wanted = device_id_of(text)
        for item in await self._ask("GET", f"{OLD}/devices?include_quarantined=true"):
            if item.get("device_id") == wanted:
                return _device(item)
        raise error_of("DEVICE_NOT_FOUND", f"no device {text}")

    async def _operation(self, device_id: int | str, asked: Mapping[str, Any], justification: str) -> Any:
        kind, data = asked["operation_type"], asked.get("operation_data", {})
        body: dict[str, Any] = {
            "device_id": device_id,
            "operation_type": kind,
            "operation_data": {"register": data.get("register") or "STATUS"},
        }
        if kind == "WRITE":
            value = from_wire(data.get("value"))
            if not isinstance(value, int):
                raise InvalidParameter("API 1.0 writes whole numbers only", target="value")
            body["operation_data"]["data"] = f"{value:08X}"
        if justification:
            body["justification"] = justification
        try:
            found = await self._ask("POST", f"{OLD}/devices/{device_id}/operations", body)
        except Unreachable as error:
            if kind == REPEATED:
                raise
            message = f"{error.message}: whether the {kind} happened is not known, as API 1.0 has no keys"
            raise OperationTimeout(message, device_id=device_id) from None
        return _operation(found, device_id, kind, body["operation_data"]["register"])

    async def _bulk(self) -> Any:
        """Version 1.0 has no bulk: the operations go one by one, a few at the same time."""
        places = asyncio.Semaphore(1 if self._body.get("execution_mode") == "SEQUENTIAL" else 5)
        whole = self._body.get("justification", "")

        async def one(item: Mapping[str, Any]) -> Any:
            async with places:
                try:
                    return await self._operation(item["device_id"], item, item.get("justification") or whole)
                except DSMILError as error:
                    return {
                        "operation_id": "",
                        "device_id": item["device_id"],
                        "operation_type": item["operation_type"],
                        "status": "TIMEOUT" if error.code == "TIMEOUT" else "DENIED",
                        "error": error.message,
                        "error_code": error.code,
                    }

        results = await asyncio.gather(*(one(item) for item in self._body["operations"]))
        statuses = [result["status"] for result in results]
        good = statuses.count("SUCCESS")
        return {
            "bulk_operation_id": "",
            "total_operations": len(results),
            "status": "COMPLETED" if good == len(results) else "PARTIAL" if good else "FAILED",
            "execution_time_ms": 0.0,
            "results": results,
            "summary": {
                "total": len(results),
                "successful": good,
                "failed": statuses.count("FAILED"),
                "denied": statuses.count("DENIED"),
                "timeouts": statuses.count("TIMEOUT"),
            },
        }

    async def _stop(self) -> Any:
        """Version 1.0 stops everything or nothing: a narrower scope becomes everything."""
        reason = self._body.get("justification", "")
        padded = reason if len(reason.strip()) >= 10 else f"emergency stop: {reason}"
        found = await self._ask("POST", f"{OLD}/emergency-stop", {"justification": padded[:512]})
        return {
            "stop_id": "",
            "scope": "ALL",
            "target_devices": [],
            "reason": reason,
            "triggered_by": "",
            "triggered_at": str(found.get("timestamp", "")),
        }


def _device(found: Mapping[str, Any]) -> dict[str, Any]:
    """A device of version 1.0 with what version 2 wants to know besides."""
    quarantined = bool(found.get("is_quarantined"))
    risk = str(found.get("risk_level", "LOW"))
    levels = {"SAFE": "LOW", "MODERATE": "MEDIUM", "QUARANTINED": "CRITICAL"}
    return {
        "device_id": found["device_id"],
        "device_name": str(found.get("device_name", "")),
        "device_group": found.get("device_group", 0),
        "device_index": found.get("device_index", 0),
        "risk_level": levels.get(risk, risk),
        "security_classification": "",
        "required_clearance": "",
        "is_active": bool(found.get("is_active", not quarantined)),
        "is_quarantined": quarantined,
        "capabilities": ["READ", "WRITE"],
        "constraints": {},
        "performance_metrics": {
            "average_response_time_ms": found.get("last_response_time_ms"),
            "last_accessed": found.get("last_accessed"),
        },
    }


def _operation(found: Mapping[str, Any], device_id: int | str, kind: str, register: str) -> dict[str, Any]:
    """An operation of version 1.0; its `data` is an object with a status of its own."""
    data = found.get("data") if isinstance(found.get("data"), dict) else {"data": found.get("data")}
    assert isinstance(data, dict), "chosen above"
    good = not data.get("status") and str(found.get("result", "SUCCESS")).upper() in ("SUCCESS", "TRUE")
    return {
        "operation_id": str(found.get("operation_id", "")),
        "device_id": device_id,
        "operation_type": kind,
        "status": "SUCCESS" if good else "FAILED",
        "result": {"data": value_of(data.get("data")), "register": register},
        "timestamp": str(found.get("timestamp", "")),
        "execution_time_ms": float(found.get("execution_time_ms") or 0.0),
        "user_id": str(found.get("user_id", "")),
        "audit_trail_id": str(found.get("audit_trail_id", "")),
        "error": "" if good else str(found.get("error") or data.get("error") or "the device refused"),
        "error_code": "" if good else "HARDWARE_ERROR",
    }


def value_of(data: Any) -> Any:
    """A register's value: version 1.0 writes hex without `0x`, so what looks like hex is read as hex."""
    if isinstance(data, str) and _HEX.fullmatch(data):
        return f"0x{data}"
    return data


def claims_of(token: str) -> dict[str, Any]:
    """What a JSON Web Token says of its owner, unverified: for showing only.  Source: RFC 7519."""
    import base64
    import binascii

    try:
        payload = token.split(".")[1]
        found = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _json(value: Any, status: int = 200) -> Incoming:
    headers = {"content-type": "application/json"}
    return Incoming(status=status, headers=headers, content=msgspec.json.encode(value))
